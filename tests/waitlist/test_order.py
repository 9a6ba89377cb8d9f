"""No entry is passed over for a later one, however long the visits are and whatever rules have changed in the
meantime."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.kernel.db.database import Database
from holdfast.kernel.span import Span
from tests.booking.asking import at, cancel, instant
from tests.conftest import House

from .asking import Json, entry_of, joined, promoted

NIGHT = 24 * 60
ALWAYS = {"weekly": [{"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": "00:00", "close": "24:00"}]}


def night(number: int) -> str:
    """The afternoon before the night."""
    return at("15:00", number)


@pytest.fixture
async def one_room(open_house: Any) -> House:
    return await open_house(
        hours=ALWAYS,
        policy={"slot_step_minutes": 60, "default_duration_minutes": NIGHT},
        resources=[{"slug": "r1", "name": "R1", "kind": "room", "seats_min": 1, "seats_max": 4}],
    )


async def stays(house: House, start: int, *, nights: int) -> Json:
    return await joined(house, earliest=night(start), latest=night(start), duration_minutes=nights * NIGHT)


@pytest.mark.parametrize("knows_span", [True, False])
async def test_a_long_visit_that_starts_before_a_shorter_one_is_not_preferred(
    db: Database, one_room: House, knows_span: bool
) -> None:
    house = one_room
    week = await house.booked(start=night(0), end=night(6))
    first, later = await stays(house, 4, nights=1), await stays(house, 1, nights=4)
    await cancel(house, week)
    freed = Span(instant("15:00"), instant("15:00", 6)) if knows_span else None
    assert await promoted(db, house, around=freed) == 1
    assert [(await entry_of(house, each))["status"] for each in (first, later)] == ["OFFERED", "WAITING"]


async def test_who_may_stay_no_longer_so_long_keeps_no_place_from_others(db: Database, house: House) -> None:
    booking = await house.booked(start=at("18:00"), end=at("22:00"), resource_ids=house.ids("t1"))
    wanted: Json = {"earliest": at("18:00"), "latest": at("18:00"), "resource_ids": house.ids("t1")}
    first, later = await joined(house, duration_minutes=200, **wanted), await joined(house, **wanted)
    await house.change_policy(duration_minutes_max=120)
    await cancel(house, booking)
    assert await promoted(db, house) == 1
    assert [(await entry_of(house, each))["status"] for each in (first, later)] == ["WAITING", "OFFERED"]
