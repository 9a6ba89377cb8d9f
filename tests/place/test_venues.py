"""Venues over HTTP: listing, reading, changing."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from .conftest import Ask, Cast, thing
from .test_import_venue import imported


async def test_everybody_reads_a_venue(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    venue = await imported(ask, cast, osteria)
    for who in (cast.nobody, cast.gina, cast.charlie, cast.bob, cast.platform):
        assert (await ask(who, "GET", f"/venues/{venue['id']}")).json() == venue
    assert (await ask(cast.nobody, "GET", f"/venues/{cast.nord.id}")).status_code == 404
    assert (await ask(cast.nobody, "GET", "/venues/1")).status_code == 400


async def test_lists_show_each_their_own(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    mine = await imported(ask, cast, osteria)
    other = await imported(ask, cast, osteria | {"slug": "other"})

    async def slugs(who: Any, query: str = "") -> list[str]:
        return [each["slug"] for each in (await ask(who, "GET", f"/venues{query}")).json()["items"]]

    assert await slugs(cast.alice) == ["osteria-nord", "other"]
    assert await slugs(cast.limited()) == []
    assert await slugs(cast.limited(UUID(other["id"]))) == ["other"]
    assert await slugs(cast.charlie) == []
    assert await slugs(cast.nobody, f"?tenant={cast.nord.slug}") == ["osteria-nord", "other"]
    assert await slugs(cast.platform, f"?tenant={cast.syd.slug}") == []
    assert (await ask(cast.nobody, "GET", "/venues")).status_code == 400
    assert (await ask(cast.nobody, "GET", "/venues?tenant=nowhere")).status_code == 404
    assert mine["id"] in {each["id"] for each in (await _all(ask, cast.platform))}


async def test_pages_follow_one_another(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    for number in range(5):
        await imported(ask, cast, osteria | {"slug": f"v{number}"})
    found = await _all(ask, cast.bob, limit=2)
    assert [each["slug"] for each in found] == ["v0", "v1", "v2", "v3", "v4"]
    assert (await ask(cast.bob, "GET", "/venues?cursor=x")).json()["errors"][0]["field"] == "cursor"
    assert (await ask(cast.bob, "GET", "/venues?limit=501")).status_code == 400


async def test_a_change_counts_and_is_seen_at_once(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    venue = await imported(ask, cast, osteria)
    path = f"/venues/{venue['id']}"
    answer = await ask(cast.alice, "PATCH", path, json={"name": "Nya", "expected_version": 1})
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"2"'
    assert thing(answer) == venue | {"name": "Nya", "version": 2, "updated_at": answer.json()["updated_at"]}
    assert (await ask(cast.nobody, "GET", path)).json() == thing(answer)
    by_header = await ask(cast.alice, "PATCH", path, json={"kind": "bar"}, headers={"if-match": '"2"'})
    assert (by_header.json()["kind"], by_header.json()["name"]) == ("bar", "Nya")


async def test_a_change_without_or_with_an_old_version_is_refused(
    ask: Ask, cast: Cast, osteria: dict[str, Any]
) -> None:
    path = f"/venues/{(await imported(ask, cast, osteria))['id']}"
    none = await ask(cast.alice, "PATCH", path, json={"name": "N"})
    assert none.json()["errors"][0]["field"] == "expected_version"
    await ask(cast.alice, "PATCH", path, json={"name": "N", "expected_version": 1})
    old = await ask(cast.alice, "PATCH", path, json={"name": "O", "expected_version": 1})
    assert (old.status_code, old.json()["code"], old.json()["current_version"]) == (
        409,
        "VERSION_CONFLICT",
        2,
    )


async def test_of_changes_at_once_one_wins(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    path = f"/venues/{(await imported(ask, cast, osteria))['id']}"
    bodies = [{"name": f"N{number}", "expected_version": 1} for number in range(6)]
    answers = await asyncio.gather(*(ask(cast.alice, "PATCH", path, json=body) for body in bodies))
    assert sorted(each.status_code for each in answers) == [200, 409, 409, 409, 409, 409]
    [winner] = [each.json()["name"] for each in answers if each.status_code == 200]
    assert (await ask(cast.nobody, "GET", path)).json()["name"] == winner


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"timezone": ""}, "timezone"),
        ({"currency": "sek"}, "currency"),
        ({"currency": "JPY"}, "policy.price_rules.0.amount"),
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "\0"}, "name"),
        ({"slug": "new"}, "slug"),
        ({"expected_version": "1"}, "expected_version"),
    ],
)
async def test_bad_changes_name_the_field(
    ask: Ask, cast: Cast, osteria: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    path = f"/venues/{(await imported(ask, cast, osteria))['id']}"
    answer = await ask(cast.alice, "PATCH", path, json={"expected_version": 1} | change)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field
    assert (await ask(cast.alice, "GET", path)).json()["version"] == 1


WRITES = [
    ("PATCH", "/venues/{venue}", {"name": "N", "expected_version": 1}),
    ("PUT", "/venues/{venue}/hours", {"weekly": [], "expected_version": 1}),
    ("PUT", "/venues/{venue}/policy", {"expected_version": 1}),
    ("PUT", "/venues/{venue}/slots", {"items": [], "expected_version": 1}),
    ("POST", "/venues/{venue}/resources", {"slug": "new"}),
    ("PATCH", "/resources/{resource}", {"name": "N", "expected_version": 1}),
    ("DELETE", "/resources/{resource}?expected_version=1", None),
    ("GET", "/venues/{venue}/document", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=[f"{each[0]} {each[1]}" for each in WRITES])
async def test_only_managers_of_the_venue_change_it(
    ask: Ask, cast: Cast, osteria: dict[str, Any], method: str, path: str, body: Any
) -> None:
    venue = await imported(ask, cast, osteria)
    other = await imported(ask, cast, osteria | {"slug": "other"})
    path = path.format(venue=venue["id"], resource=venue["resources"][0]["id"])

    async def status(who: Any) -> int:
        return (await ask(who, method, path, **({} if body is None else {"json": body}))).status_code

    assert await status(cast.nobody) == 401
    assert await status(cast.gina) == 403
    assert await status(cast.bob) == 403
    assert await status(cast.charlie) == 404
    assert await status(cast.limited(UUID(other["id"]))) == 404
    assert (await ask(cast.nobody, "GET", f"/venues/{venue['id']}")).json() == venue
    assert await status(cast.limited(UUID(venue["id"]))) in (200, 201, 204)


async def _all(ask: Ask, who: Any, *, limit: int = 50) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query = f"/venues?limit={limit}"
    for _ in range(100):
        page = (await ask(who, "GET", query)).json()
        assert len(page["items"]) <= limit
        found += page["items"]
        if page["next"] is None:
            return found
        query = f"/venues?limit={limit}&cursor={page['next']}"
    raise AssertionError("the pages never end")


async def test_a_venue_stored_before_names_were_checked_stays_readable(
    ask: Ask, cast: Cast, osteria: dict[str, Any], database_url: str
) -> None:
    """Names could have control characters, and kinds in price rules any length."""
    venue = await imported(ask, cast, osteria)
    path, old = f"/venues/{venue['id']}", "Osteria\x07"
    rule = {"per": "guest", "amount": "5.00", "kinds": ["\x1b" * 200]}
    owner = await asyncpg.connect(database_url)
    await owner.execute(
        "UPDATE venue SET name = $2, policy = policy || $3::jsonb, rules_version = rules_version + 1 WHERE id = $1",
        UUID(venue["id"]), old, json.dumps({"price_rules": [rule]}),
    )  # fmt: skip
    await owner.execute(
        "UPDATE resource SET name = $2, zone = $2 WHERE venue_id = $1", UUID(venue["id"]), old
    )
    await owner.close()
    seen = (await ask(cast.nobody, "GET", path)).json()
    assert (seen["name"], seen["resources"][0]["zone"]) == (old, old)
    assert seen["policy"]["price_rules"][0]["kinds"] == rule["kinds"]
    refused = await ask(cast.alice, "PATCH", path, json={"kind": "bar", "expected_version": seen["version"]})
    assert [each["field"] for each in refused.json()["errors"]] == ["name"]
    new = {"name": "Osteria", "kind": "bar", "expected_version": seen["version"]}
    assert (await ask(cast.alice, "PATCH", path, json=new)).json()["name"] == "Osteria"
