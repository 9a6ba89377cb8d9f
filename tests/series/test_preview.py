"""POST /series/preview: for each occurrence, what it would get or what is in its way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.booking.asking import at, refused
from tests.conftest import House

from .asking import bookings, days, made, preview, week


async def test_it_says_what_each_occurrence_would_get(house: House) -> None:
    for slug in ("t1", "t2", "t3"):
        await house.booked(start=at("18:30", 7), resource_ids=house.ids(slug))
    before = await bookings(house)
    response = await preview(house, preferences={"kinds": ["table"]})
    assert response.status_code == 200, response.text
    found = response.json()["occurrences"]
    assert response.json()["free"] == 3
    assert days(found) == [week(n) for n in range(4)]
    assert [each["free"] for each in found] == [True, False, True, True]
    for number in (0, 2, 3):
        assert found[number] == {
            "occurrence_on": week(number),
            "start": at("18:00", 7 * number),
            "end": at("19:30", 7 * number),
            "free": True,
            "resource_ids": house.ids("t1"),
            "conflicts": [],
            "suggested_slots": [],
            "problem": None,
        }
    taken = found[1]
    assert taken["problem"]["code"] == "TABLE_NOT_AVAILABLE"
    assert taken["resource_ids"] == []
    assert {each["resource_id"] for each in taken["conflicts"]} == set(house.ids("t1", "t2", "t3"))
    assert taken["suggested_slots"][0]["start"] == at("17:00", 7)
    assert await bookings(house) == before


async def test_creating_then_does_what_it_said(house: House) -> None:
    await house.booked(start=at("18:00", 14), resource_ids=house.ids("t1"))
    shown = (await preview(house, party_size=4)).json()["occurrences"]
    series = await made(house, party_size=4)
    assert [(each["start"], each["resource_ids"]) for each in shown] == [
        (each["start"], each["resource_ids"]) for each in series["bookings"]
    ]


async def test_each_occurrence_has_its_own_rule(open_house: Any) -> None:
    house = await open_house(
        hours={
            "weekly": [
                {"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": "10:00", "close": "23:00"}
            ],
            "exceptions": [{"date": week(2), "closed": True, "name": "Holiday"}],
        }
    )
    found = (await preview(house)).json()["occurrences"]
    assert [each["problem"] and each["problem"]["code"] for each in found] == [
        None,
        None,
        "OUTSIDE_OPENING_HOURS",
        None,
    ]
    assert found[2]["conflicts"] == []


async def test_in_a_large_venue_all_sets_are_looked_at(open_house: Any) -> None:
    """The first two hundred resources are taken: it finds a place further down."""
    tables = [{"slug": f"t{number:03}", "seats_max": 4, "sort_order": number} for number in range(230)]
    house = await open_house(resources=tables)
    for first in range(0, 229, 50):
        slugs = [f"t{number:03}" for number in range(first, min(first + 50, 229))]
        await house.booked(start=at("18:00", 1), party_size=100, resource_ids=house.ids(*slugs))
    body = {"party_size": 4, "rrule": "FREQ=DAILY;COUNT=3"}
    found = (await preview(house, **body)).json()["occurrences"]
    assert [each["resource_ids"] for each in found] == [
        house.ids("t000"),
        house.ids("t229"),
        house.ids("t000"),
    ]
    series = await made(house, **body)
    assert [each["resource_ids"] for each in series["bookings"]] == [each["resource_ids"] for each in found]


@pytest.mark.parametrize("rrule", ["FREQ=WEEKLY", "FREQ=DAILY;COUNT=400", "FREQ=WEEKLY;BYDAY=1MO;COUNT=2"])
async def test_a_rule_that_can_not_be_is_refused(house: House, rrule: str) -> None:
    problem = refused(await preview(house, rrule=rrule), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["field"] == "rrule"


async def test_who_may_not_book_may_not_look(house: House, charlie: dict[str, str]) -> None:
    refused(await preview(house, charlie), 404, "NOT_FOUND")
    refused(await preview(house, {}), 401, "UNAUTHENTICATED")
    assert (await preview(house, house.gina)).status_code == 200


async def test_guests_are_not_told_whose_it_is(house: House) -> None:
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    for who, is_shown in ((house.gina, False), (house.bob, True)):
        found = (await preview(house, who, resource_ids=house.ids("t1"))).json()["occurrences"]
        assert ("owner_id" in found[0]["conflicts"][0]) is is_shown
