"""Importing a venue: it is created, replaced, left alone, refused."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import yaml

from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.place import store
from holdfast.place.document import VenueDocument, parse_document
from holdfast.place.document_text import to_yaml
from holdfast.place.import_venue import import_venue

from .conftest import Ask, Cast, thing

CLAIM = """
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id, expires_at)
    VALUES ($1, $2, $3, tstzrange($4, $5), 'booking', gen_random_uuid(), $6)
"""


async def claim(
    db: Database, cast: Cast, resource_id: str, *, unit: int = 1, start_h: float = 1, expires: bool = False
) -> None:
    """Somebody takes a unit for an hour, that many hours from now."""
    now = datetime.now(UTC)
    start = now + timedelta(hours=start_h)
    expires_at = now - timedelta(seconds=1) if expires else None

    async def take(tx: Tx) -> None:
        end = start + timedelta(hours=1)
        await tx.execute(CLAIM, cast.nord.id, UUID(resource_id), unit, start, end, expires_at)

    await db.run(cast.alice, take)


async def events(database_url: str, venue_id: str) -> list[str]:
    connection = await asyncpg.connect(database_url)
    try:
        sql = "SELECT event_type FROM event WHERE subject_id = $1 ORDER BY written_at"
        return [row[0] for row in await connection.fetch(sql, UUID(venue_id))]
    finally:
        await connection.close()


def by_slug(venue: dict[str, Any]) -> dict[str, Any]:
    return {each["slug"]: each for each in venue["resources"]}


async def imported(ask: Ask, cast: Cast, document: dict[str, Any], *, status: int = 201) -> dict[str, Any]:
    answer = await ask(cast.alice, "POST", "/venues/import", json=document)
    assert answer.status_code == status, answer.text
    return thing(answer)


async def test_a_new_venue_comes_back_with_ids(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    answer = await ask(cast.alice, "POST", "/venues/import", json=osteria)

    assert answer.status_code == 201
    assert answer.headers["etag"] == '"1"'
    venue = thing(answer)
    assert (venue["tenant"], venue["version"], venue["kind"]) == (cast.nord.slug, 1, "restaurant")
    assert venue["policy"]["price_rules"][0]["amount"] == "95.50"
    found = by_slug(venue)
    assert list(found) == ["t1", "t2", "bar"]
    assert {UUID(each["id"]).version for each in found.values()} == {7}
    assert found["t2"]["adjacent"] == [{"slug": "t1", "seats_lost": 0, "id": found["t1"]["id"]}]
    assert found["t2"]["position"] == {"x": 40, "y": 12.5, "w": 60, "h": 60, "rotation": 0, "shape": "round"}
    assert found["t1"]["position"] is None
    again = await ask(cast.nobody, "GET", f"/venues/{venue['id']}")
    assert again.json() == venue


async def test_the_same_document_again_changes_nothing(
    ask: Ask, cast: Cast, osteria: dict[str, Any], database_url: str
) -> None:
    venue = await imported(ask, cast, osteria)
    assert await imported(ask, cast, osteria, status=200) == venue
    assert await events(database_url, venue["id"]) == ["venue.created"]


@pytest.mark.parametrize("accept", ["application/json", "application/yaml"])
async def test_what_is_exported_says_exactly_what_is_there(
    ask: Ask, cast: Cast, osteria: dict[str, Any], accept: str
) -> None:
    osteria["resources"][0]["attributes"] = {"tiny": 1e-7, "none": None, "on": "yes", "at": "10:00", "n": [1]}
    osteria["resources"][0]["attributes"]["text"] = "two\nlines\t# \x7f"
    osteria["name"] = "Osteria «Nörd»: yes # 2"
    venue = await imported(ask, cast, osteria)

    document = await ask(cast.alice, "GET", f"/venues/{venue['id']}/document", headers={"accept": accept})
    again = await ask(
        cast.alice, "POST", "/venues/import", content=document.content, headers={"content-type": accept}
    )

    assert document.headers["content-type"].startswith(accept)
    assert again.status_code == 200
    assert thing(again) == venue
    assert again.json()["changes"] == []


async def test_a_replaced_venue_keeps_ids_by_slug_and_counts_versions(
    ask: Ask, cast: Cast, osteria: dict[str, Any], database_url: str
) -> None:
    before = await imported(ask, cast, osteria)
    osteria["resources"][1]["seats_max"] = 6
    osteria["resources"][2] = {"slug": "t3"}
    after = await imported(ask, cast, osteria, status=200)

    old, new = by_slug(before), by_slug(after)
    assert list(new) == ["t1", "t2", "t3"]
    assert [new[slug]["id"] for slug in ("t1", "t2")] == [old[slug]["id"] for slug in ("t1", "t2")]
    assert [new[slug]["version"] for slug in ("t1", "t2", "t3")] == [1, 2, 1]
    assert after["version"] == 1
    assert await events(database_url, before["id"]) == ["venue.created", "venue.updated"]
    assert (await ask(cast.nobody, "GET", f"/resources/{old['bar']['id']}")).status_code == 404


async def test_every_change_makes_older_snapshots_useless(
    db: Database, cast: Cast, osteria: dict[str, Any]
) -> None:
    kept = (await db.run(cast.alice, import_venue, parse_document(osteria))).kept
    osteria["resources"][0]["active"] = False
    changed = (await db.run(cast.alice, import_venue, parse_document(osteria))).kept
    venue = (await db.run(cast.alice, store.load_venues, [kept.id]))[kept.id]

    assert (kept.rules_version, changed.rules_version, venue.rules_version) == (1, 2, 2)
    t1, t2 = (kept.ids[slug] for slug in ("t1", "t2"))
    assert venue.joins == {t1: {t2: 0}, t2: {t1: 0}}
    assert venue.resources[t1].buffer_after_minutes == 10
    assert not venue.resources[t1].active


async def test_a_removed_slug_can_be_used_again(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    before = by_slug(await imported(ask, cast, osteria))["bar"]
    bar = osteria["resources"].pop()
    await imported(ask, cast, osteria, status=200)
    osteria["resources"].append(bar)
    after = by_slug(await imported(ask, cast, osteria, status=200))["bar"]
    assert (after["version"], after["id"] == before["id"]) == (1, False)


async def test_a_resource_that_is_held_is_not_removed(
    ask: Ask, cast: Cast, osteria: dict[str, Any], db: Database
) -> None:
    venue = await imported(ask, cast, osteria)
    await claim(db, cast, by_slug(venue)["bar"]["id"])
    osteria["resources"].pop()
    answer = await ask(cast.alice, "POST", "/venues/import", json=osteria)

    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert [each["value"] for each in answer.json()["errors"]] == ["bar"]
    assert (await ask(cast.alice, "GET", f"/venues/{venue['id']}")).json() == venue


async def test_past_claims_and_holds_past_their_time_hold_nothing(
    ask: Ask, cast: Cast, osteria: dict[str, Any], db: Database
) -> None:
    bar = by_slug(await imported(ask, cast, osteria))["bar"]["id"]
    await claim(db, cast, bar, start_h=-2)
    await claim(db, cast, bar, expires=True)
    osteria["resources"].pop()
    await imported(ask, cast, osteria, status=200)


async def test_units_do_not_go_below_what_is_held_at_once(
    ask: Ask, cast: Cast, osteria: dict[str, Any], db: Database
) -> None:
    bar = by_slug(await imported(ask, cast, osteria))["bar"]["id"]
    for unit, start_h in ((1, 1), (2, 2), (5, 1.5), (7, 1.5)):
        await claim(db, cast, bar, unit=unit, start_h=start_h)
    osteria["resources"][2]["units"] = 2
    answer = await ask(cast.alice, "POST", "/venues/import", json=osteria)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "units"
    assert "at least 3" in answer.json()["detail"]

    osteria["resources"][2]["units"] = 3
    await imported(ask, cast, osteria, status=200)
    units = "SELECT unit FROM claim WHERE tenant_id = $1 AND resource_id = $2 ORDER BY lower(during), unit"

    async def read(tx: Tx) -> list[int]:
        return [row["unit"] for row in await tx.fetch(units, cast.nord.id, UUID(bar))]

    assert await db.run(cast.alice, read) == [1, 2, 3, 1]


async def test_what_is_about_to_be_swept_may_take_units_a_moment_longer(
    ask: Ask, cast: Cast, osteria: dict[str, Any], db: Database
) -> None:
    bar = by_slug(await imported(ask, cast, osteria))["bar"]["id"]
    await claim(db, cast, bar, unit=1, expires=True)
    await claim(db, cast, bar, unit=7)
    osteria["resources"][2]["units"] = 1
    answer = await ask(cast.alice, "POST", "/venues/import", json=osteria)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "units")
    assert "try again" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("timezone",), "Europe/Atlantis", "timezone"),
        (("currency",), "KRONOR", "currency"),
        (("resources", 1, "seats_min"), 9, "resources.1.seats_min"),
        (("resources", 0, "adjacent"), ["t9"], "resources.0.adjacent.0"),
        (("resources", 1, "slug"), "t1", "resources.1.slug"),
        (("hours", "weekly"), [{"days": ["MO"], "open": "10:00", "close": "12:00"}] * 2, "hours.weekly.1"),
        (("resources", 0, "colour"), "red", "resources.0.colour"),
        (("name",), "a\0b", "name"),
        (("resources", 0, "attributes"), {"n": 2**70}, "resources.0.attributes.n"),
        (("resources", 0, "attributes"), {"bad\0key": 1}, "resources.0.attributes"),
    ],
)
async def test_bad_input_names_the_field(
    ask: Ask, cast: Cast, osteria: dict[str, Any], path: tuple[Any, ...], value: Any, field: str
) -> None:
    at: Any = osteria
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    answer = await ask(cast.alice, "POST", "/venues/import", json=osteria)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert field in [each["field"] for each in answer.json()["errors"]]
    assert (await ask(cast.alice, "GET", "/venues")).json()["items"] == []


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: *b", b"[]", b"", b'{"slug": "\\ud800"}', b"{" * 9000])
async def test_text_that_is_no_document_is_refused(ask: Ask, cast: Cast, content: bytes) -> None:
    answer = await ask(cast.alice, "POST", "/venues/import", content=content)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")


async def test_who_may_import(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    async def status(who: Any, query: str = "") -> int:
        return (await ask(who, "POST", f"/venues/import{query}", json=osteria)).status_code

    assert await status(cast.nobody) == 401
    assert await status(cast.gina) == 403
    assert await status(cast.bob) == 403
    assert await status(cast.limited()) == 403
    assert await status(cast.charlie, f"?tenant={cast.nord.slug}") == 404
    assert await status(cast.platform) == 400
    assert await status(cast.platform, "?tenant=nowhere") == 404
    assert await status(cast.platform, f"?tenant={cast.nord.slug}") == 201
    assert await status(cast.limited()) == 404
    assert await status(cast.alice, f"?tenant={cast.nord.slug}") == 200


async def test_the_same_slug_in_another_tenant_is_another_venue(
    ask: Ask, cast: Cast, osteria: dict[str, Any]
) -> None:
    mine = await imported(ask, cast, osteria)
    theirs = await ask(cast.charlie, "POST", "/venues/import", json=osteria)
    assert theirs.status_code == 201
    assert theirs.json()["id"] != mine["id"]


async def test_of_many_imports_at_once_one_creates_and_all_agree(
    db: Database, cast: Cast, osteria: dict[str, Any]
) -> None:
    document = parse_document(osteria)
    found = await asyncio.gather(*(db.run(cast.alice, import_venue, document) for _ in range(8)))
    assert sorted(each.is_new for each in found) == [False] * 7 + [True]
    assert len({each.kept.id for each in found}) == 1
    assert {each.kept.rules_version for each in found} == {1}


def test_yaml_says_what_json_says(osteria: dict[str, Any]) -> None:
    document = parse_document(osteria)
    text = to_yaml(document.model_dump(mode="json"))
    assert yaml.safe_load(text)["slug"] == "osteria-nord"
    assert "null" not in text
    assert isinstance(document, VenueDocument)
