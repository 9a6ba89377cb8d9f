"""Hours, policy and slots over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Ask, Cast, thing
from .test_import_venue import imported

WEEK = [{"days": ["MO", "TU"], "open": "10:00", "close": "12:00"}]


@pytest.mark.parametrize(
    ("part", "body"),
    [
        (
            "hours",
            {"weekly": WEEK, "exceptions": [{"date": "2026-06-19", "closed": True, "name": "Midsummer"}]},
        ),
        ("policy", {"slot_step_minutes": 30, "deposit_percent": "12.5", "pacing_covers_max": 20}),
        ("slots", {"items": [{"id": "noon", "name": "Noon", "start": "12:00", "minutes": 90}]}),
    ],
)
async def test_rules_are_replaced(
    ask: Ask, cast: Cast, osteria: dict[str, Any], part: str, body: dict[str, Any]
) -> None:
    venue = await imported(ask, cast, osteria)
    path = f"/venues/{venue['id']}/{part}"
    put = await ask(cast.alice, "PUT", path, json=body, headers={"if-match": '"1"'})
    assert put.status_code == 200, put.text
    assert put.headers["etag"] == '"2"'
    assert (await ask(cast.nobody, "GET", path)).json() == thing(put)
    for name, value in body.items():
        if part != "hours" and name != "items":
            assert put.json()[name] == value
    whole = (await ask(cast.nobody, "GET", f"/venues/{venue['id']}")).json()
    assert whole[part] == (put.json()["items"] if part == "slots" else thing(put))
    assert whole["version"] == 2
    old = await ask(cast.alice, "PUT", path, json=body | {"expected_version": 1})
    assert (old.status_code, old.json()["current_version"]) == (409, 2)


async def test_the_same_rules_again_change_nothing(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    path = f"/venues/{(await imported(ask, cast, osteria))['id']}/hours"
    before = await ask(cast.alice, "GET", path)
    put = await ask(cast.alice, "PUT", path, json=before.json(), headers={"if-match": before.headers["etag"]})
    assert thing(put) == before.json()
    assert (put.json()["changes"], put.json()["changes_total"]) == ([], 0)
    assert put.headers["etag"] == '"1"'


async def test_overlapping_rules_are_refused(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    path = f"/venues/{(await imported(ask, cast, osteria))['id']}"
    late = {"days": ["TU"], "open": "11:00", "close": "13:00"}
    hours = await ask(
        cast.alice, "PUT", f"{path}/hours", json={"weekly": [*WEEK, late], "expected_version": 1}
    )
    assert hours.json()["errors"] == [
        {
            "field": "weekly.1",
            "value": "TU 11:00-13:00",
            "problem": "must not overlap weekly.0 (TU 10:00-12:00)",
        }
    ]
    slot = {"id": "noon", "name": "Noon", "start": "12:00", "minutes": 90}
    slots = await ask(cast.alice, "PUT", f"{path}/slots", json={"items": [slot, slot], "expected_version": 1})
    assert slots.json()["errors"][0]["field"] == "slots.1.id"


async def test_effective_hours_cross_midnight_and_heed_exceptions(
    ask: Ask, cast: Cast, osteria: dict[str, Any]
) -> None:
    venue = await imported(ask, cast, osteria)
    path = f"/venues/{venue['id']}/hours/effective"
    answer = await ask(cast.nobody, "GET", f"{path}?from=2026-12-24&to=2026-12-26")
    friday = {
        "local_start": "2026-12-25T18:00:00",
        "local_end": "2026-12-26T02:00:00",
        "start": "2026-12-25T17:00:00Z",
        "end": "2026-12-26T01:00:00Z",
    }
    items = answer.json()["items"]
    assert [each["date"] for each in items] == ["2026-12-24", "2026-12-25", "2026-12-26"]
    assert items[0]["openings"] == []
    assert items[1]["openings"] == [friday]
    one = await ask(cast.nobody, "GET", f"{path}?from=2026-12-25")
    assert one.json() == {"items": [items[1]], "next": None}


async def test_a_resource_may_have_hours_of_its_own(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    osteria["resources"][0]["hours"] = {"weekly": WEEK}
    venue = await imported(ask, cast, osteria)
    path = f"/venues/{venue['id']}/hours/effective?from=2026-12-25&to=2026-12-28&resource_id="
    opened = []
    for slug in ("t1", "t2"):
        [id_] = [each["id"] for each in venue["resources"] if each["slug"] == slug]
        days = (await ask(cast.nobody, "GET", path + id_)).json()["items"]
        opened.append([len(each["openings"]) for each in days])
    assert opened == [[0, 0, 0, 1], [1, 1, 0, 0]]
    assert (await ask(cast.nobody, "GET", path + venue["id"])).json()["errors"][0]["field"] == "resource_id"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "from"),
        ("from=2026-02-30", "from"),
        ("from=20260101", "from"),
        ("from=0001-01-01", "from"),
        ("from=9999-12-31", "from"),
        ("from=2026-01-02&to=2026-01-01", "to"),
        ("from=2026-01-01&to=2027-01-02", "to"),
    ],
)
async def test_days_that_can_not_be_shown_are_refused(
    ask: Ask, cast: Cast, osteria: dict[str, Any], query: str, field: str
) -> None:
    path = f"/venues/{(await imported(ask, cast, osteria))['id']}/hours/effective"
    answer = await ask(cast.nobody, "GET", f"{path}?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)
    year = await ask(cast.nobody, "GET", f"{path}?from=2026-01-01&to=2027-01-01")
    assert len(year.json()["items"]) == 366
