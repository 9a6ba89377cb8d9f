"""Bookings that no longer fit rules about arrivals, slots, lengths and nights are listed, and stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from holdfast.place.opening.spans import DAYS
from tests.conftest import House

from .asking import DAY, at, move
from .changing import Json, unfit

Open = Callable[..., Any]
ROOMS = [{"slug": f"r{n}", "kind": "room", "seats_max": 2} for n in range(3)]
SLOTS = [
    {"id": "early", "name": "Early", "start": "18:00", "minutes": 120},
    {"id": "late", "name": "Late", "start": "20:30", "minutes": 120},
]
ALWAYS: Json = {"weekly": []}


def policy(house: House, **changes: Any) -> Json:
    return {"policy": house.document["policy"] | changes}


async def at_table(house: House, clock: str, slug: str, party_size: int, **more: Any) -> Json:
    wanted = {"start": at(clock), "duration_minutes": 60, "party_size": party_size}
    return await house.booked(resource_ids=house.ids(slug), **wanted, **more)


async def reference(house: House, clock: str, slug: str, party_size: int, **more: Any) -> str:
    return (await at_table(house, clock, slug, party_size, **more))["booking_reference"]


async def test_a_band_of_the_day_lists_all_who_arrive_in_it(house: House) -> None:
    among = [await reference(house, clock, slug, 3) for clock, slug in (("18:00", "t2"), ("18:45", "t3"))]
    await reference(house, "19:00", "l1", 3)
    held = await at_table(house, "18:00", "l1", 3)
    await move(house, held, "CANCELLED")
    band = {"start": "18:00", "end": "19:00"}
    assert await unfit(house, **policy(house, pacing=[band | {"covers_max": 6}])) == {}
    found = await unfit(house, **policy(house, pacing=[band | {"covers_max": 5}]))
    assert found == dict.fromkeys(among, "PACING_EXCEEDED")
    # They were too many before this change already.
    assert await unfit(house, **policy(house, pacing=[band | {"covers_max": 4}])) == {}


async def test_a_bound_on_parties_of_some_sources_and_days(house: House) -> None:
    web = [
        await reference(house, clock, slug, 2, source="web")
        for clock, slug in (("12:00", "t2"), ("17:00", "t3"))
    ]
    await reference(house, "18:00", "l1", 2, source="phone")
    rule = {"parties_max": 1, "sources": ["web"]}
    other_day = DAYS[(DAY.weekday() + 1) % 7]
    assert await unfit(house, **policy(house, pacing=[rule | {"days": [other_day]}])) == {}
    found = await unfit(house, **policy(house, pacing=[rule | {"days": [DAYS[DAY.weekday()]]}]))
    assert found == dict.fromkeys(web, "PACING_EXCEEDED")


async def test_a_bound_on_a_slot_counts_that_slot_alone(open_house: Open) -> None:
    house: House = await open_house(slots=SLOTS)
    early = [
        (await house.booked(date=str(DAY), slot_id="early", party_size=3, resource_ids=house.ids(slug)))
        for slug in ("t2", "t3")
    ]
    await house.booked(date=str(DAY), slot_id="late", party_size=3, resource_ids=house.ids("t2"))
    await house.booked(
        date=str(DAY + timedelta(1)), slot_id="early", party_size=3, resource_ids=house.ids("t2")
    )
    found = await unfit(house, **policy(house, pacing=[{"slots": ["early", "late"], "covers_max": 5}]))
    assert found == dict.fromkeys([each["booking_reference"] for each in early], "PACING_EXCEEDED")


async def test_walk_ins_count_and_are_not_listed(open_house: Open) -> None:
    house: House = await open_house(hours=ALWAYS)
    body = {"venue_id": house.venue_id, "party_size": 3, "resource_ids": house.ids("t2")}
    seated = await house.client.post("/walk-ins", json=body, headers=house.bob)
    assert seated.status_code == 201, seated.text
    found = await unfit(house, **policy(house, pacing=[{"covers_max": 2}]))
    assert found == {}
    found = await unfit(house, **policy(house, pacing=[{"covers_max": 1, "sources": ["walk_in"]}]))
    assert found == {seated.json()["booking_reference"]: "PACING_EXCEEDED"}


async def test_where_guests_book_slots_alone_other_times_are_listed(open_house: Open) -> None:
    house: House = await open_house(slots=SLOTS)
    other = await reference(house, "18:00", "t2", 2)
    await house.booked(date=str(DAY), slot_id="late", resource_ids=house.ids("t2"))
    exactly = {"start": at("18:00"), "duration_minutes": 120, "resource_ids": house.ids("t3")}
    assert (await house.booked(**exactly))["slot_id"] is None
    assert await unfit(house, **policy(house, starts="slots")) == {other: "OFF_SLOT_STEP"}
    assert await unfit(house, **policy(house, starts="slots"), name="Another") == {}


LENGTHS: dict[str, tuple[Json, set[str]]] = {
    "at least an hour": ({"duration_minutes_min": 60}, {"short"}),
    "at most an hour and a half": ({"duration_minutes_max": 90, "default_duration_minutes": 60}, {"long"}),
    "whole hours": ({"duration_step_minutes": 60}, {"short", "long"}),
    "another usual length": ({"default_duration_minutes": 75}, set()),
    "a shorter usual length, which is the longest": (
        {"duration_minutes_max": 80, "default_duration_minutes": 80},
        {"long", "usual"},
    ),
}


@pytest.mark.parametrize("name", LENGTHS)
async def test_lengths(house: House, name: str) -> None:
    visits = {
        "short": await house.booked(start=at("12:00"), duration_minutes=45, resource_ids=house.ids("t2")),
        "long": await house.booked(start=at("12:00"), duration_minutes=105, resource_ids=house.ids("t3")),
        "usual": await house.booked(start=at("12:00"), resource_ids=house.ids("l1")),
    }
    changes, expected = LENGTHS[name]
    found = await unfit(house, **policy(house, **changes))
    assert found == {visits[each]["booking_reference"]: "INVALID_REQUEST" for each in expected}


def weekday(days: int) -> str:
    return DAYS[(DAY.weekday() + days) % 7]


NIGHTS: dict[str, tuple[Callable[[House], Json], dict[str, str]]] = {
    "longer stays": (lambda house: policy(house, nights_min=2), {"one": "INVALID_REQUEST"}),
    "shorter stays": (lambda house: policy(house, nights_max=2), {"three": "INVALID_REQUEST"}),
    "longer stays around a date": (
        lambda house: policy(house, arrival_rules=[{"from": str(DAY), "to": str(DAY), "nights_min": 3}]),
        {"one": "INVALID_REQUEST"},
    ),
    "closed to arrival": (
        lambda house: policy(house, arrival_rules=[{"closed_to_arrival": [weekday(0)]}]),
        {"one": "INVALID_REQUEST", "three": "INVALID_REQUEST"},
    ),
    "closed to departure": (
        lambda house: policy(house, arrival_rules=[{"closed_to_departure": [weekday(3)]}]),
        {"late": "INVALID_REQUEST", "three": "INVALID_REQUEST"},
    ),
    "a night that is not sold": (
        lambda _: {"hours": {"exceptions": [{"date": str(DAY + timedelta(2)), "closed": True}]}},
        {"late": "OUTSIDE_OPENING_HOURS", "three": "OUTSIDE_OPENING_HOURS"},
    ),
    "later check-in": (
        lambda _: {"stay": {"check_in": "16:00", "check_out": "11:00"}},
        {"one": "STAY_CHANGED", "three": "STAY_CHANGED"},
    ),
    "earlier check-out": (
        lambda _: {"stay": {"check_in": "15:00", "check_out": "10:00"}},
        {"one": "STAY_CHANGED", "late": "STAY_CHANGED", "three": "STAY_CHANGED"},
    ),
    "more time for both": (lambda _: {"stay": {"check_in": "14:00", "check_out": "12:00"}}, {}),
    "hours of the desk": (
        lambda _: {"hours": {"weekly": [{"days": list(DAYS), "open": "16:00", "close": "20:00"}]}},
        {},
    ),
    "lengths in minutes": (lambda house: policy(house, duration_step_minutes=120), {}),
}


@pytest.mark.parametrize("name", NIGHTS)
async def test_nights(open_house: Open, name: str) -> None:
    stay = {"check_in": "15:00", "check_out": "11:00"}
    house: House = await open_house(
        resources=ROOMS, stay=stay, hours=ALWAYS, policy={"max_advance_days": 800}
    )
    late = {"start": at("22:00", 1), "end": at("11:00", 3)}  # as the desk said
    stays = {
        "one": await house.booked(arrival=str(DAY), nights=1, resource_ids=house.ids("r0")),
        "three": await house.booked(arrival=str(DAY), nights=3, resource_ids=house.ids("r1")),
        "late": await house.booked(resource_ids=house.ids("r2"), **late),
    }
    edit, expected = NIGHTS[name]
    found = await unfit(house, **edit(house))
    assert found == {stays[each]["booking_reference"]: reason for each, reason in expected.items()}
    assert await unfit(house, **edit(house), name="Another") == {}
