"""What moves keeps its times on the clock, also onto the nights on which clocks change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.booking.asking import DAY, change
from tests.conftest import House

STOCKHOLM = ZoneInfo("Europe/Stockholm")


def _changes() -> list[tuple[date, int]]:
    """The evenings before clocks change, and how many hours that night gains."""
    found = []
    for number in range(400):
        day = DAY + timedelta(days=number)
        evening, morning = (
            datetime.combine(day, datetime.min.time(), STOCKHOLM) + timedelta(hours=h) for h in (12, 36)
        )
        before, after = evening.utcoffset(), morning.utcoffset()
        assert before is not None
        assert after is not None
        if before != after:
            found.append((day, (before - after) // timedelta(hours=1)))
    return found


CHANGES = _changes()


@pytest.fixture
async def bar(open_house: Callable[..., Any]) -> House:
    return await open_house(
        hours={}, policy={"max_advance_days": 800, "default_duration_minutes": 240, "slot_step_minutes": 30}
    )


def clock(booking: dict[str, Any]) -> tuple[str, str]:
    return booking["start"][:16], booking["end"][:16]


def at(day: date, hour: int, minute: int = 0) -> str:
    wall = datetime.combine(day, datetime.min.time()) + timedelta(hours=hour, minutes=minute)
    return wall.replace(tzinfo=STOCKHOLM).isoformat()


def evening(day: date) -> tuple[str, str]:
    return f"{day}T22:00", f"{day + timedelta(days=1)}T04:00"


def test_there_are_both_kinds() -> None:
    assert {hours for _, hours in CHANGES} == {-1, 1}


@pytest.mark.parametrize(("night", "hours"), CHANGES)
async def test_a_move_keeps_the_end_on_the_clock(bar: House, night: date, hours: int) -> None:
    booking = await bar.booked(start=at(DAY, 22), end=at(DAY, 28))
    assert (clock(booking), booking["duration_minutes"]) == (evening(DAY), 360)
    forms: list[dict[str, Any]] = [
        {"start": at(night, 22)},
        {"booking_date": str(night), "booking_time": "22:00"},
    ]
    for start in forms:
        booking = (await change(bar, booking, **start)).json()
        assert (clock(booking), booking["duration_minutes"]) == (evening(night), 360 + 60 * hours)
        again = (await change(bar, booking, start=booking["start"])).json()
        assert clock(again) == clock(booking)
        booking = (await change(bar, again, start=at(DAY, 22))).json()
        assert (clock(booking), booking["duration_minutes"]) == (evening(DAY), 360)


@pytest.mark.parametrize(("night", "hours"), CHANGES)
async def test_minutes_that_were_asked_for_pass(bar: House, night: date, hours: int) -> None:
    booking = await bar.booked(start=at(DAY, 22), duration_minutes=360)
    booking = (await change(bar, booking, start=at(night, 22))).json()
    assert booking["duration_minutes"] == 360
    assert booking["end"][11:16] == f"{4 - hours:02}:00"
    # An end says the time on the clock, and minutes say minutes again.
    booking = (await change(bar, booking, end=at(night, 28))).json()
    booking = (await change(bar, booking, start=at(DAY, 22))).json()
    assert clock(booking) == evening(DAY)
    booking = (await change(bar, booking, duration_minutes=300)).json()
    booking = (await change(bar, booking, start=at(night, 22))).json()
    assert booking["duration_minutes"] == 300


async def test_in_the_repeated_hour_nothing_ends_before_it_starts(bar: House) -> None:
    night = next(day for day, hours in CHANGES if hours == 1)
    morning = night + timedelta(days=1)
    booking = await bar.booked(start=at(DAY, 22), end=at(DAY, 22, 30))
    for offset, expected in (("+02:00", f"{morning}T03:00"), ("+01:00", f"{morning}T03:00")):
        moved = (await change(bar, booking, start=f"{morning}T02:30:00{offset}")).json()
        assert clock(moved)[1] == expected
        booking = (await change(bar, moved, start=at(DAY, 22))).json()
        assert clock(booking)[1] == f"{DAY}T22:30"
    short = await bar.booked(start=at(DAY, 12), end=at(DAY, 12, 30))
    moved = (await change(bar, short, start=f"{morning}T02:00:00+01:00")).json()
    assert moved["end"] == f"{morning}T02:30:00+01:00"


@pytest.mark.parametrize(("night", "hours"), CHANGES)
async def test_a_slot_lasts_until_its_time_on_every_night(
    open_house: Callable[..., Any], night: date, hours: int
) -> None:
    bar: House = await open_house(
        hours={
            "weekly": [
                {"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": "20:00", "close": "03:00"}
            ]
        },
        slots=[{"id": "party", "name": "Party", "start": "22:00", "minutes": 300}],
        policy={"max_advance_days": 800},
    )
    for day, length in ((DAY, 300), (night, 300 + 60 * hours)):
        view = await bar.client.get(
            f"/venues/{bar.venue_id}/availability/day", params={"date": str(day), "party_size": 2}
        )
        (shown,) = [each for each in view.json()["starts"] if each["slot_id"] == "party"]
        booking = await bar.booked(date=str(day), slot_id="party")
        assert clock(booking) == clock(shown) == (f"{day}T22:00", f"{day + timedelta(days=1)}T03:00")
        assert booking["duration_minutes"] == length


@pytest.mark.parametrize(("night", "hours"), CHANGES)
async def test_changed_occurrences_do_not_differ(bar: House, night: date, hours: int) -> None:
    first = night - timedelta(weeks=1)
    made = await bar.client.post(
        "/series",
        json={
            "venue_id": bar.venue_id,
            "party_size": 2,
            "booking_date": str(first),
            "booking_time": "22:00",
            "duration_minutes": 300,
            "rrule": "FREQ=WEEKLY;COUNT=3",
        },
        headers=bar.bob,
    )
    assert made.status_code == 201, made.text
    series = made.json()
    for changes, expected in (
        ({}, ("22:00", "03:00")),
        ({"booking_time": "21:00"}, ("21:00", "02:00")),
        ({"booking_time": "22:30"}, ("22:30", "03:30")),
        ({"booking_time": "21:00"}, ("21:00", "02:00")),
        ({"duration_minutes": 420}, ("21:00", "04:00")),
        ({"booking_time": "23:00", "duration_minutes": 360}, ("23:00", "05:00")),
        ({"party_size": 3}, ("23:00", "05:00")),
    ):
        if changes:
            body = {"scope": "all", "expected_version": series["version"], "changes": changes}
            changed = await bar.client.patch(f"/series/{series['id']}", json=body, headers=bar.bob)
            assert changed.status_code == 200, changed.text
            series = changed.json()
        times = [(each["start"][11:16], each["end"][11:16]) for each in series["bookings"]]
        # In spring 02:00 does not exist on that night: it ends when it would be 02:00.
        skipped = expected[1] == "02:00" and hours == -1
        assert times == [expected, (expected[0], "03:00") if skipped else expected, expected], changes
