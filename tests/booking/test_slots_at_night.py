"""Slots after midnight belong to the night of their opening day, in every view and verb."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from tests.booking.asking import DAY, change, refused
from tests.conftest import House

FRIDAY = DAY + timedelta(days=2)
SATURDAY = FRIDAY + timedelta(days=1)
NIGHT = {
    "slug": "nord",
    "kind": "nightclub",
    "policy": {"default_duration_minutes": 60, "max_advance_days": 800, "slot_step_minutes": 60},
    "hours": {"weekly": [{"days": ["FR"], "open": "22:00", "close": "04:00"}]},
    "slots": [
        {"id": "early", "name": "Early", "days": ["FR"], "start": "22:00", "minutes": 120},
        {"id": "late", "name": "Late", "days": ["FR"], "start": "00:30", "minutes": 90},
    ],
    "resources": [{"slug": "s1", "kind": "section", "seats_max": 8}],
}


@pytest.fixture
async def club(open_house: Callable[..., Any]) -> House:
    return await open_house(**NIGHT)


async def late(club: House, on: date = FRIDAY, **more: Any) -> dict[str, Any]:
    return await club.booked(date=str(on), slot_id="late", **more)


async def day(club: House, on: date) -> list[str]:
    found = await club.client.get(
        f"/venues/{club.venue_id}/availability/day", params={"date": str(on), "party_size": 2}
    )
    assert found.status_code == 200, found.text
    return [each["start"] for each in found.json()["starts"] if each["slot_id"] == "late"]


async def test_friday_sells_friday_night(club: House) -> None:
    booking = await late(club)
    assert (booking["booking_date"], booking["booking_time"], booking["end_time"]) == (
        str(SATURDAY),
        "00:30",
        "02:00",
    )
    assert booking["slot_id"] == "late"
    problem = refused(await club.book(date=str(SATURDAY), slot_id="late"), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["field"] == "slot_id"


async def test_the_day_and_the_month_view_show_it_on_friday(club: House) -> None:
    assert [each[:16] for each in await day(club, FRIDAY)] == [f"{SATURDAY}T00:30"]
    assert await day(club, SATURDAY) == []
    month = await club.client.get(
        f"/venues/{club.venue_id}/availability/month",
        params={"month": f"{FRIDAY:%Y-%m}", "party_size": 2},
    )
    days = [date.fromisoformat(each) for each in month.json()["days"]]
    assert FRIDAY in days
    assert {each.weekday() for each in days} == {4}
    await late(club)
    assert await day(club, FRIDAY) == []


async def test_what_a_view_shows_can_be_booked_as_a_start_too(club: House) -> None:
    (start,) = await day(club, FRIDAY)
    found = await club.client.post(
        "/bookings/availability/check",
        json={"venue_id": club.venue_id, "start": start, "duration_minutes": 90, "party_size": 2},
    )
    assert found.json()["available"], found.text
    await club.booked(start=start, duration_minutes=90)


async def test_the_picture_of_the_night_is_friday_s(club: House) -> None:
    path = f"/clubs/{club.tenant}/venues/nord/availability"
    ask = {"date": str(FRIDAY), "slotId": "late"}
    before = (await club.client.get(path, params=ask)).json()
    assert before["sections"][0]["state"] == "available"
    booking = await late(club)
    after = (await club.client.get(path, params=ask)).json()
    assert after["sections"][0]["state"] == "unavailable"
    assert after["channel"] == f"availability:{club.tenant}:nord:{FRIDAY}:late"
    assert after["version"] == before["version"] + 1
    refused(await club.client.get(path, params=ask | {"date": str(SATURDAY)}), 400, "INVALID_REQUEST")
    early = (await club.client.get(path, params=ask | {"slotId": "early"})).json()
    assert early["sections"][0]["state"] == "available"
    moved = await change(club, booking, date=str(FRIDAY), slot_id="early")
    assert moved.json()["booking_time"] == "22:00"
    again = (await club.client.get(path, params=ask)).json()
    assert again["sections"][0]["state"] == "available"


async def test_a_series_of_fridays_is_of_friday_nights(club: House) -> None:
    made = await club.client.post(
        "/series",
        json={
            "venue_id": club.venue_id,
            "party_size": 2,
            "date": str(FRIDAY),
            "slot_id": "late",
            "rrule": "FREQ=WEEKLY;BYDAY=FR;COUNT=3",
        },
        headers=club.bob,
    )
    assert made.status_code == 201, made.text
    bookings = made.json()["bookings"]
    fridays = [FRIDAY + timedelta(weeks=n) for n in range(3)]
    assert [each["occurrence_on"] for each in bookings] == list(map(str, fridays))
    assert [each["start"][:16] for each in bookings] == [
        f"{friday + timedelta(days=1)}T00:30" for friday in fridays
    ]
    assert (made.json()["local_start"], made.json()["duration_minutes"]) == (f"{SATURDAY}T00:30", 90)
    for each in fridays:
        assert await day(club, each) == []


async def test_the_waitlist_offers_the_night(club: House) -> None:
    booking = await late(club)
    start = datetime.fromisoformat(booking["start"])
    joined = await club.client.post(
        "/waitlist",
        json={
            "venue_id": club.venue_id,
            "party_size": 2,
            "earliest": start.isoformat(),
            "latest": start.isoformat(),
            "duration_minutes": 90,
        },
        headers=club.bob,
    )
    assert joined.status_code == 201, joined.text
