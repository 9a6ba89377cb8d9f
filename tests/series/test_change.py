"""PATCH /series/{id}: one booking, one and those after it, all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.booking.asking import at, cancel, refused
from tests.conftest import House

from .asking import bookings, change, clocks, days, made, read, week


async def versions(house: House, series: dict[str, Any]) -> list[int]:
    return [each["version"] for each in (await read(house, series))["bookings"]]


@pytest.mark.parametrize(
    ("scope", "changed"),
    [("one", [1]), ("this_and_following", [1, 2, 3]), ("all", [0, 1, 2, 3])],
)
async def test_the_scope_says_which(house: House, scope: str, changed: list[int]) -> None:
    series = await made(house, resource_ids=house.ids("t2"))
    on: dict[str, Any] = {} if scope == "all" else {"occurrence_on": week(1)}
    changes = {"booking_time": "19:15", "duration_minutes": 60, "party_size": 3, "guest_name": "Gina"}
    response = await change(house, series, scope=scope, changes=changes, **on)
    assert response.status_code == 200, response.text
    after = response.json()
    assert response.headers["etag"] == '"2"'
    assert after["changed"] == [week(n) for n in changed]
    assert after["unchanged"] == []
    assert [n for n, clock in enumerate(clocks(after)) if clock == "19:15"] == changed
    assert [each["version"] for each in after["bookings"]] == [1 + (n in changed) for n in range(4)]
    found = await bookings(house)
    assert [n for n, each in enumerate(found) if each["party_size"] == 3] == changed
    assert [n for n, each in enumerate(found) if each["guest_name"] == "Gina"] == changed
    assert [n for n, each in enumerate(found) if each["duration_minutes"] == 60] == changed
    assert {tuple(each["resource_ids"]) for each in found} == {tuple(house.ids("t2"))}
    read_back = await read(house, series)
    assert read_back == {name: after[name] for name in read_back}
    assert (read_back["local_start"][11:], read_back["duration_minutes"]) == (
        ("19:15", 60) if scope == "all" else ("18:00", 90)
    )


async def test_a_refused_change_leaves_everything_as_it_was(house: House) -> None:
    series = await made(house, resource_ids=house.ids("t1"))
    await house.booked(start=at("20:00", 14), resource_ids=house.ids("t1"))
    before = await bookings(house)
    response = await change(house, series, scope="all", changes={"booking_time": "19:00"})
    problem = refused(response, 409, "TABLE_NOT_AVAILABLE")
    [missed] = problem["occurrences"]
    assert (missed["occurrence_on"], missed["booking_id"]) == (week(2), series["bookings"][2]["booking_id"])
    assert missed["conflicts"][0]["start"] == at("20:00", 14)
    assert missed["suggested_slots"] == problem["suggested_slots"] != []
    assert await bookings(house) == before
    assert (await read(house, series))["version"] == 1


async def test_what_can_not_be_changed_is_skipped_when_asked(house: House) -> None:
    series = await made(house, resource_ids=house.ids("t1"))
    await house.booked(start=at("20:00", 14), resource_ids=house.ids("t1"))
    body = {"scope": "all", "changes": {"booking_time": "19:00"}, "on_conflict": "skip"}
    after = (await change(house, series, **body)).json()
    assert after["changed"] == [week(0), week(1), week(3)]
    assert [(each["occurrence_on"], each["problem"]["code"]) for each in after["unchanged"]] == [
        (week(2), "TABLE_NOT_AVAILABLE")
    ]
    assert clocks(after) == ["19:00", "19:00", "18:00", "19:00"]
    assert await versions(house, series) == [2, 2, 1, 2]


async def test_at_least_one_must_change(house: House) -> None:
    series = await made(house, resource_ids=house.ids("t1"))
    body = {"scope": "all", "changes": {"booking_time": "23:30"}, "on_conflict": "skip"}
    problem = refused(await change(house, series, **body), 400, "OUTSIDE_OPENING_HOURS")
    assert days(problem["occurrences"]) == [week(n) for n in range(4)]
    assert await versions(house, series) == [1, 1, 1, 1]


@pytest.mark.parametrize("clock", ["02:00", "22:00"])
async def test_neighbours_make_room_for_each_other(open_house: Any, clock: str) -> None:
    """Each lasts until shortly before the next starts, so they have to move one after another."""
    house = await open_house(hours={})
    body = {"start": at("12:00"), "duration_minutes": 23 * 60, "rrule": "FREQ=DAILY;COUNT=4"}
    series = await made(house, resource_ids=house.ids("t1"), **body)
    after = await change(house, series, scope="all", changes={"booking_time": clock})
    assert after.status_code == 200, after.text
    assert set(clocks(after.json())) == {clock}


async def test_wall_time_is_kept_across_a_change_of_the_clocks(open_house: Any) -> None:
    house = await open_house(policy={"max_advance_days": 500})
    series = await made(house, rrule="FREQ=WEEKLY;COUNT=52", resource_ids=house.ids("t1"))
    after = (await change(house, series, scope="all", changes={"booking_time": "17:00"})).json()
    assert set(clocks(after)) == {"17:00"}
    assert {each["start"][-6:] for each in after["bookings"]} == {"+01:00", "+02:00"}


async def test_what_is_over_stays_as_it_is(house: House) -> None:
    series = await made(house)
    one = series["bookings"][1]
    assert (await cancel(house, one | {"id": one["booking_id"]})).status_code == 200
    after = (await change(house, series, scope="all", changes={"party_size": 1})).json()
    assert after["changed"] == [week(0), week(2), week(3)]
    [left] = after["unchanged"]
    assert (left["occurrence_on"], left["problem"]["code"]) == (week(1), "INVALID_TRANSITION")
    body = {"scope": "one", "occurrence_on": week(1), "changes": {"party_size": 1}}
    problem = refused(await change(house, after, **body), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["field"] == "scope"


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({"scope": "some"}, "scope", ""),
        ({"scope": "one"}, "", "occurrence_on"),
        ({"scope": "all", "occurrence_on": week(1)}, "", "occurrence_on"),
        ({"scope": "one", "occurrence_on": "2020-01-01"}, "occurrence_on", "must be the occurrence_on"),
        ({"changes": {}}, "changes", "at least one"),
        ({"changes": {"venue_id": "x"}}, "changes.venue_id", "not a field"),
        ({"changes": {"party_size": None}}, "changes", "can be changed but not removed"),
        ({"on_conflict": "alternatives"}, "", "refuse or skip"),
        ({"expected_version": None}, "expected_version", "is required"),
    ],
)
async def test_what_can_not_be_is_refused(house: House, body: dict[str, Any], field: str, said: str) -> None:
    series = await made(house)
    body = {"scope": "all", "changes": {"party_size": 1}} | body
    problem = refused(await change(house, series, **body), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["field"] == field
    assert said in problem["errors"][0]["problem"]
    assert await versions(house, series) == [1, 1, 1, 1]


async def test_it_is_at_the_version_that_was_seen(house: House) -> None:
    series = await made(house)
    body = {"scope": "all", "changes": {"party_size": 1}}
    assert (await change(house, series, **body)).status_code == 200
    problem = refused(await change(house, series, **body), 409, "VERSION_CONFLICT")
    assert problem["current_version"] == 2
    by_header = await house.client.patch(
        f"/series/{series['id']}", json=body, headers={**house.bob, "if-match": '"2"'}
    )
    assert by_header.json()["version"] == 3


async def test_a_key_changes_it_once(house: House) -> None:
    series = await made(house)
    body = {"scope": "all", "changes": {"party_size": 1}, "idempotency_key": "once"}
    first = await change(house, series, **body)
    again = await change(house, series, **body)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert await versions(house, series) == [2, 2, 2, 2]


async def test_guests_change_their_own(house: House, charlie: dict[str, str]) -> None:
    series = await made(house, house.gina)
    body = {"scope": "one", "occurrence_on": week(1), "changes": {"special_requests": "a quiet corner"}}
    for who in (charlie, house.headers("guest", subject="mallory"), {"authorization": ""}):
        assert (await change(house, series, who, **body)).status_code in (401, 404)
    assert await versions(house, series) == [1, 1, 1, 1]
    assert (await change(house, series, house.gina, **body)).json()["changed"] == [week(1)]
    notes = {"scope": "all", "changes": {"internal_notes": "tips well"}}
    after = await read(house, series)
    refused(await change(house, after, house.gina, **notes), 403, "FORBIDDEN")
    assert (await change(house, after, **notes)).status_code == 200


async def test_one_given_to_another_guest_is_not_theirs_any_more(house: House) -> None:
    series = await made(house, house.gina)
    one = series["bookings"][0]
    given = await house.client.put(
        f"/bookings/{one['booking_id']}",
        json={"guest_id": "mallory", "expected_version": one["version"]},
        headers=house.bob,
    )
    assert given.status_code == 200
    assert days((await read(house, series, house.gina))["bookings"]) == [week(n) for n in (1, 2, 3)]
    after = await change(house, series, house.gina, scope="all", changes={"party_size": 1})
    assert after.json()["changed"] == [week(n) for n in (1, 2, 3)]
