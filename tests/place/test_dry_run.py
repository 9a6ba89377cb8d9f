"""Changes of a venue, foreseen and carried out: what differs, what is kept, what is refused."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from .conftest import CONSEQUENCES, Ask, Cast, thing
from .test_import_venue import by_slug, events, imported

YEAR = datetime.now(UTC).year + 1
HOLIDAYS = {"country": "SE", "years": [YEAR], "language": "en_US"}
CHRISTMAS, NEW_YEAR = f"{YEAR}-12-25", f"{YEAR}-01-01"


async def whole(ask: Ask, cast: Cast, venue: dict[str, Any]) -> httpx.Response:
    return await ask(cast.alice, "GET", f"/venues/{venue['id']}/document")


def paths(answer: httpx.Response) -> dict[str, tuple[Any, Any]]:
    return {each["path"]: (each["before"], each["after"]) for each in answer.json()["changes"]}


CHANGES = {
    "import": ("POST", "/venues/import", {}, "policy.slot_step_minutes"),
    "venue": ("PATCH", "/venues/{id}", {"name": "Ny", "expected_version": 1}, "name"),
    "policy": (
        "PUT",
        "/venues/{id}/policy",
        {"slot_step_minutes": 30, "expected_version": 1},
        "policy.slot_step_minutes",
    ),
    "hours": ("PUT", "/venues/{id}/hours", {"expected_version": 1}, "hours.exceptions.2026-12-24"),
    "slots": ("PUT", "/venues/{id}/slots", {"items": [], "expected_version": 1}, "slots.late"),
    "holidays": (
        "POST",
        "/venues/{id}/hours/holidays",
        HOLIDAYS | {"expected_version": 1},
        f"hours.exceptions.{CHRISTMAS}",
    ),
    "resource": (
        "PATCH",
        "/resources/{t1}",
        {"seats_max": 3, "expected_version": 1},
        "resources.t1.seats_max",
    ),
    "new resource": ("POST", "/venues/{id}/resources", {"slug": "t9"}, "resources.t9"),
    "no resource": ("DELETE", "/resources/{t1}?expected_version=1", None, "resources.t1"),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_dry_run_says_what_the_change_does_and_changes_nothing(
    ask: Ask, cast: Cast, osteria: dict[str, Any], database_url: str, name: str
) -> None:
    venue = await imported(ask, cast, osteria)
    method, path, body, changed = CHANGES[name]
    path = path.format(id=venue["id"], t1=by_slug(venue)["t1"]["id"])
    if name == "import":
        body = copy.deepcopy(osteria)
        body["policy"]["slot_step_minutes"] = 30
    said = {} if body is None else {"json": body}
    before = await whole(ask, cast, venue)
    dry = await ask(cast.alice, method, f"{path}{'&' if '?' in path else '?'}dry_run=true", **said)

    assert dry.status_code == 200, dry.text
    assert dry.json().keys() == CONSEQUENCES | {"problems"}
    assert changed in paths(dry)
    assert dry.json()["changes_total"] == len(dry.json()["changes"])
    after = await whole(ask, cast, venue)
    assert (after.json(), after.headers["etag"]) == (before.json(), before.headers["etag"])
    assert await events(database_url, venue["id"]) == ["venue.created"]

    real = await ask(cast.alice, method, path, **said)
    assert real.status_code in (200, 201, 204), real.text
    if real.content:
        assert {each: real.json()[each] for each in CONSEQUENCES} == {
            each: dry.json()[each] for each in CONSEQUENCES
        }
    assert (await whole(ask, cast, venue)).headers["etag"] != before.headers["etag"]
    assert await events(database_url, venue["id"]) == ["venue.created", "venue.updated"]


async def test_a_new_venue_is_foreseen_too(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    dry = await ask(cast.alice, "POST", "/venues/import?dry_run=true", json=osteria)
    assert dry.status_code == 200
    assert paths(dry)["timezone"] == (None, "Europe/Stockholm")
    assert paths(dry)["resources.t1"][1]["seats_max"] == 2
    assert (await ask(cast.alice, "GET", "/venues")).json()["items"] == []
    real = await ask(cast.alice, "POST", "/venues/import", json=osteria)
    assert (real.status_code, real.json()["changes"]) == (201, dry.json()["changes"])


async def test_paths_name_what_has_a_name(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    await imported(ask, cast, osteria)
    osteria["policy"]["price_rules"].append({"per": "hour", "amount": "10.00"})
    osteria["policy"]["price_rules"][0]["amount"] = "99.00"
    osteria["hours"]["exceptions"][0] = {"date": "2026-12-24", "spans": [{"open": "10:00", "close": "12:00"}]}
    osteria["hours"]["weekly"][0]["days"] = ["FR"]
    osteria["slots"].insert(0, {"id": "early", "name": "Early", "start": "17:00", "minutes": 60})
    osteria["resources"][0]["adjacent"] = [{"slug": "t2", "seats_lost": 1}]
    osteria["resources"][1]["position"] = None
    osteria["resources"][2]["attributes"]["music"] = True
    answer = await ask(cast.alice, "POST", "/venues/import", json=osteria)
    found = paths(answer)
    assert found.pop("slots.early")[1]["start"] == "17:00"
    assert found.pop("policy.price_rules.1")[1]["amount"] == "10.00"
    assert found.pop("resources.t2.position")[1] is None
    assert found == {
        "policy.price_rules.0.amount": ("95.50", "99.00"),
        "hours.weekly.0.days": (["FR", "SA"], ["FR"]),
        "hours.exceptions.2026-12-24.closed": (True, False),
        "hours.exceptions.2026-12-24.spans.0": (None, {"open": "10:00", "close": "12:00"}),
        "resources.t1.adjacent.t2.seats_lost": (0, 1),
        "resources.bar.attributes.music": (None, True),
    }


async def test_the_same_in_another_order_is_a_change_only_where_order_counts(
    ask: Ask, cast: Cast, osteria: dict[str, Any]
) -> None:
    osteria["slots"].append({"id": "noon", "name": "Noon", "start": "12:00", "minutes": 60})
    osteria["hours"]["exceptions"].append({"date": "2026-06-06", "closed": True})
    await imported(ask, cast, osteria)
    osteria["hours"]["exceptions"].reverse()
    osteria["resources"][0]["adjacent"], osteria["resources"][1]["adjacent"] = [], ["t1"]
    same = await ask(cast.alice, "POST", "/venues/import", json=osteria)
    assert (same.json()["changes"], same.json()["version"]) == ([], 1)
    osteria["slots"].reverse()
    other = await ask(cast.alice, "POST", "/venues/import", json=osteria)
    assert paths(other) == {"slots": (["late", "noon"], ["noon", "late"])}


async def test_long_lists_say_how_long_they_are(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    osteria["resources"] = [{"slug": f"t{number}"} for number in range(150)]
    answer = await ask(cast.alice, "POST", "/venues/import", json=osteria)
    assert (len(answer.json()["changes"]), answer.json()["changes_total"]) == (100, 160)


async def test_an_import_is_refused_for_whoever_saw_something_else(
    ask: Ask, cast: Cast, osteria: dict[str, Any]
) -> None:
    async def attempt(tag: str, query: str = "") -> httpx.Response:
        headers = {"if-match": tag}
        return await ask(cast.alice, "POST", f"/venues/import{query}", json=osteria, headers=headers)

    missing = await attempt('"1"')
    assert (missing.status_code, missing.json()["code"]) == (409, "VERSION_CONFLICT")
    venue = await imported(ask, cast, osteria)
    seen = (await whole(ask, cast, venue)).headers["etag"]
    osteria["name"] = "Ny"
    for query in ("?dry_run=true", ""):
        stale = await attempt('"7"', query)
        assert (stale.status_code, stale.json()["code"], stale.json()["current_version"]) == (
            409,
            "VERSION_CONFLICT",
            1,
        )
    assert (await attempt(seen, "?dry_run=true")).status_code == 200
    # Another manager changes a resource: the venue's own version stays, its document's does not.
    t1 = by_slug(venue)["t1"]["id"]
    changed = await ask(cast.alice, "PATCH", f"/resources/{t1}", json={"zone": "a", "expected_version": 1})
    assert changed.status_code == 200
    assert (await attempt(seen)).status_code == 409
    assert (await attempt('"1"')).status_code == 200
    tag = (await whole(ask, cast, venue)).headers["etag"]
    path, body = f"/venues/{venue['id']}", {"name": "By the tag of the document"}
    assert (await ask(cast.alice, "PATCH", path, json=body, headers={"if-match": tag})).status_code == 200
    for wrong in ("", "x", "1.", "*", '"1.2.3"', "-1", "9" * 30):
        refused = await attempt(wrong)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "If-Match"), wrong


async def test_a_dry_run_is_for_those_who_may_change(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    venue = await imported(ask, cast, osteria)
    body = {"name": "Ny", "expected_version": 1}
    for who, status in ((cast.nobody, 401), (cast.gina, 403), (cast.bob, 403), (cast.charlie, 404)):
        answer = await ask(who, "PATCH", f"/venues/{venue['id']}?dry_run=true", json=body)
        assert answer.status_code == status
    for who, status in ((cast.nobody, 401), (cast.bob, 403), (cast.limited(), 404)):
        answer = await ask(who, "POST", "/venues/import?dry_run=true", json=osteria)
        assert answer.status_code == status
    other = await ask(cast.limited(), "POST", "/venues/import?dry_run=true", json=osteria | {"slug": "b"})
    assert other.status_code == 403


async def test_holidays_survive_an_import_that_does_not_name_them(
    ask: Ask, cast: Cast, osteria: dict[str, Any]
) -> None:
    venue = await imported(ask, cast, osteria)
    call = f"/venues/{venue['id']}/hours/holidays"
    added = await ask(cast.alice, "POST", call, json=HOLIDAYS | {"expected_version": 1})
    assert added.status_code == 200
    assert (await ask(cast.alice, "POST", "/venues/import", json=osteria)).json()["changes"] == []
    kept = (await whole(ask, cast, venue)).json()["hours"]["exceptions"]
    assert {each["date"] for each in kept if each["source"] == "holiday"} >= {CHRISTMAS, NEW_YEAR}

    osteria["hours"]["exceptions"] += [
        {"date": CHRISTMAS, "spans": [{"open": "12:00", "close": "15:00"}]},
        {"date": NEW_YEAR, "removed": True},
    ]
    answer = await ask(cast.alice, "POST", "/venues/import", json=osteria)
    assert answer.status_code == 200, answer.text
    by_date = {each["date"]: each for each in answer.json()["hours"]["exceptions"]}
    assert by_date.keys() == {each["date"] for each in kept} - {NEW_YEAR}
    assert by_date[CHRISTMAS]["spans"] == [{"open": "12:00", "close": "15:00"}]
    assert paths(answer)[f"hours.exceptions.{NEW_YEAR}"][1] is None
    assert (await ask(cast.alice, "POST", "/venues/import", json=osteria)).json()["changes"] == []


@pytest.mark.parametrize("accept", ["application/json", "application/yaml"])
async def test_a_round_trip_with_holidays_changes_nothing(
    ask: Ask, cast: Cast, osteria: dict[str, Any], accept: str
) -> None:
    venue = await imported(ask, cast, osteria)
    call = f"/venues/{venue['id']}/hours/holidays"
    await ask(cast.alice, "POST", call, json=HOLIDAYS | {"expected_version": 1})
    path = f"/venues/{venue['id']}/document"
    document = await ask(cast.alice, "GET", path, headers={"accept": accept})
    headers = {"content-type": accept, "if-match": document.headers["etag"]}
    again = await ask(cast.alice, "POST", "/venues/import", content=document.content, headers=headers)
    assert (again.status_code, again.json()["changes"]) == (200, [])
    after = await ask(cast.alice, "GET", path, headers={"accept": accept})
    assert (after.content, after.headers["etag"]) == (document.content, document.headers["etag"])


async def test_a_removed_exception_has_no_hours_and_is_never_shown(
    ask: Ask, cast: Cast, osteria: dict[str, Any]
) -> None:
    venue = await imported(ask, cast, osteria)
    body = {"exceptions": [{"date": "2026-12-24", "removed": True}], "expected_version": 1}
    put = await ask(cast.alice, "PUT", f"/venues/{venue['id']}/hours", json=body)
    assert thing(put)["exceptions"] == []
    body = {"exceptions": [{"date": "2026-12-24", "removed": True, "closed": True}], "expected_version": 2}
    refused = await ask(cast.alice, "PUT", f"/venues/{venue['id']}/hours", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "exceptions.0")
