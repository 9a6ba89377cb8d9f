"""Slots in the day view of one length, and among suggestions: a time that is exactly a slot's can be booked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.conftest import House

from .asking import DAY, STOCKHOLM, at, refused

SITTINGS = [
    {"id": "early", "name": "Early", "start": "17:10", "minutes": 120},
    {"id": "late", "name": "Late", "start": "19:20", "minutes": 90},
]
TABLE = {"slug": "t1", "name": "T1", "kind": "table", "seats_max": 4}


async def restaurant(open_house: Callable[..., Any], **policy: Any) -> House:
    policy = {"slot_step_minutes": 30, "default_duration_minutes": 90, **policy}
    return await open_house(slots=SITTINGS, policy=policy, resources=[TABLE])


async def shown(house: House, who: dict[str, str], minutes: int) -> list[tuple[str, str | None]]:
    query = {"date": str(DAY), "duration_minutes": minutes}
    path = f"/venues/{house.venue_id}/availability/day"
    found = await house.client.get(path, params=query, headers=who)
    return [(each["start"], each["slot_id"]) for each in found.json()["starts"]]


async def test_where_slots_are_booked_those_of_the_length_are_shown(open_house: Callable[..., Any]) -> None:
    house = await restaurant(open_house, starts="slots")
    assert await shown(house, house.gina, 120) == [(at("17:10"), "early")]
    assert await shown(house, house.gina, 90) == [(at("19:20"), "late")]
    assert await shown(house, house.gina, 60) == []
    seen = await shown(house, house.bob, 120)
    assert (at("17:10"), "early") in seen
    assert (at("17:10"), None) not in seen
    assert (at("17:00"), None) in seen
    made = await house.booked(house.gina, start=at("17:10"), duration_minutes=120)
    assert made["slot_id"] == "early"


@pytest.mark.parametrize(("policy", "slot_id"), [("any", None), ("slots", "late")])
async def test_the_exact_time_of_a_slot_is_suggested(
    open_house: Callable[..., Any], policy: str, slot_id: str | None
) -> None:
    house = await restaurant(open_house, starts=policy)
    for start, end in (("16:00", "19:00"), ("21:00", "22:30")):
        await house.booked(start=at(start), end=at(end))
    body = refused(await house.book(start=at("18:00"), duration_minutes=90), 409, "TABLE_NOT_AVAILABLE")
    starts = [each["start"] for each in body["suggested_slots"]]
    assert starts == [at("19:00"), at("19:20"), at("19:30")]
    only = body["suggested_slots"][1]
    assert only["end"] == at("20:50")
    again = {"start": only["start"], "end": only["end"], "resource_ids": only["resource_ids"]}
    made = await house.booked(**again)
    assert made["slot_id"] == slot_id


async def test_of_a_long_slot_the_times_are_suggested_at_which_its_length_may_be_asked_for(
    open_house: Callable[..., Any],
) -> None:
    """When clocks go back, two hours that pass are one on the clock, which may be asked for; otherwise they may not."""
    house: House = await open_house(
        hours={"weekly": [{"days": ["SA", "SU"], "open": "00:00", "close": "24:00"}]},
        slots=[{"id": "night", "name": "Night", "start": "00:30", "minutes": 120}],
        policy={"slot_step_minutes": 30, "duration_minutes_max": 90, "max_advance_days": 800},
        resources=[TABLE],
    )
    day = _clocks_go_back()
    long_ago = day - timedelta(days=7)
    for each, starts in ((day, ["02:30"]), (long_ago, list[str]())):
        asked = {"date": str(each), "slot_id": "night"}
        taken = await house.booked(**asked)
        body = refused(await house.book(**asked), 409, "TABLE_NOT_AVAILABLE")
        assert taken["slot_id"] == "night"
        assert [one["start"][11:16] for one in body["suggested_slots"]] == starts


def _clocks_go_back() -> date:
    """The next day of 25 hours in Stockholm."""
    days = [DAY + timedelta(days=n) for n in range(400)]
    midnights = [datetime.combine(each, time(), STOCKHOLM).astimezone(UTC) for each in days]
    lengths = [following - midnight for midnight, following in pairwise(midnights)]
    return days[lengths.index(timedelta(hours=25))]
