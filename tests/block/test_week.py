"""A manager's week at a bowling alley."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.block.asking import PATH, blocked, change
from tests.booking.asking import refused
from tests.conftest import House

STOCKHOLM = ZoneInfo("Europe/Stockholm")


def at(day: date, clock: str) -> str:
    return datetime.combine(day, time.fromisoformat(clock), STOCKHOLM).isoformat()


def next_weekday(weekday: int, *, after: date) -> date:
    return after + timedelta(days=(weekday - after.weekday()) % 7 or 7)


async def book(house: House, day: date, clock: str, *slugs: str) -> Any:
    return await house.book(house.gina, start=at(day, clock), resource_ids=house.ids(*slugs))


async def test_the_managers_week(alley: House) -> None:
    today = datetime.now(STOCKHOLM).date()
    friday = next_weekday(4, after=today + timedelta(days=1))

    # Monday morning. Lanes 5 to 8 are to be resurfaced on Friday, and somebody has booked one of them.
    early = await alley.booked(alley.gina, start=at(friday, "10:00"), resource_ids=alley.ids("l6"))
    resurfacing: dict[str, Any] = {
        "start": at(friday, "09:00"),
        "end": at(friday, "17:00"),
        "reason": "resurfacing",
    }
    lanes = ("l5", "l6", "l7", "l8")
    body = {"venue_id": alley.venue_id, "resource_ids": alley.ids(*lanes), **resurfacing}
    seen = await alley.client.post(f"{PATH}/preview", json=body, headers=alley.alice)
    assert [each["id"] for each in seen.json()["bookings"]] == [early["id"]]
    made = await blocked(alley, *lanes, **resurfacing, on_conflict="displace")
    assert [each["id"] for each in made["displaced"]] == [early["id"]]
    review = {"status": "MANUAL_REVIEW"}
    waiting = await alley.client.get(f"/bookings/venue/{alley.venue_id}", params=review, headers=alley.bob)
    assert [each["id"] for each in waiting.json()["items"]] == [early["id"]]
    trail = await alley.client.get(f"/bookings/{early['id']}/history", headers=alley.bob)
    place = trail.json()["items"][-1]["metadata"]["alternatives"][0]
    moved = {"start": place["start"], "resource_ids": place["resource_ids"], "expected_version": 2}
    assert (
        await alley.client.put(f"/bookings/{early['id']}", json=moved, headers=alley.bob)
    ).status_code == 200
    confirm = {"to": "CONFIRMED", "expected_version": 3}
    confirmed = await alley.client.post(f"/bookings/{early['id']}/status", json=confirm, headers=alley.bob)
    assert confirmed.json()["status"] == "CONFIRMED"

    # Guests are refused on these lanes for as long as it takes, and on no other.
    for lane in lanes:
        problem = refused(await book(alley, friday, "16:30", lane), 409, "LANE_NOT_AVAILABLE")
        assert "closed for maintenance" in problem["detail"]
    assert (await book(alley, friday, "16:30", "l4")).status_code == 201
    assert (await book(alley, friday, "17:00", "l5")).status_code == 201

    # The league plays on lanes 1 to 4 every Wednesday evening for a year, whatever the clocks do.
    wednesday = next_weekday(2, after=friday)
    last = wednesday + timedelta(weeks=52)
    league = await blocked(
        alley,
        *("l1", "l2", "l3", "l4"),
        start=at(wednesday, "18:00"),
        end=at(wednesday, "22:00"),
        reason="league",
        kind="private_event",
        rrule=f"FREQ=WEEKLY;BYDAY=WE;UNTIL={last:%Y%m%d}",
    )
    offsets = set()
    for week in (0, 13, 26, 39, 52):
        day = wednesday + timedelta(weeks=week)
        offsets.add(datetime.combine(day, time(18), STOCKHOLM).utcoffset())
        refused(await book(alley, day, "17:15", "l1"), 409, "LANE_NOT_AVAILABLE")
        refused(await book(alley, day, "21:45", "l4"), 409, "LANE_NOT_AVAILABLE")
        assert (await book(alley, day, "17:00", "l1")).status_code == 201
        assert (await book(alley, day, "22:00", "l4")).status_code == 201
    assert len(offsets) == 2, "a year has both summer and winter time"
    assert (await book(alley, last + timedelta(weeks=1), "18:00", "l1")).status_code == 201

    # The league folds in spring: what was played stays, the rest is free.
    spring = wednesday + timedelta(weeks=20)
    ended = await change(alley, league, cancelled_from=spring.isoformat())
    assert ended.status_code == 200, ended.text
    refused(await book(alley, spring - timedelta(weeks=1), "18:00", "l1"), 409, "LANE_NOT_AVAILABLE")
    assert (await book(alley, spring, "18:00", "l1")).status_code == 201
    listed = await alley.client.get(
        PATH, params={"venue_id": alley.venue_id, "when": "upcoming"}, headers=alley.alice
    )
    assert [each["reason"] for each in listed.json()["items"]] == ["resurfacing", "league"]
    assert datetime.fromisoformat(made["created_at"]) <= datetime.now(UTC) + timedelta(minutes=1)
