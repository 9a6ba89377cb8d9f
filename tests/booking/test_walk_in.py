"""POST /walk-ins: a party at the door is seated now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from holdfast.booking.deciding.prepare import prepare
from holdfast.booking.wanted import Wanted, When
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.ids import new_id
from holdfast.place.venue import Venue
from tests.conftest import House

from .asking import at, cancel, claims, history, move, refused

ALL_WEEK = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


async def walk_in(house: House, who: dict[str, str] | None = None, **wanted: Any) -> httpx.Response:
    body = {"venue_id": house.venue_id, "party_size": 2, **wanted}
    return await house.client.post("/walk-ins", json=body, headers=house.bob if who is None else who)


@pytest.fixture
async def house(open_house: Any) -> House:
    """It never closes, and asks a day's notice of all who book."""
    policy = {"min_notice_minutes": 1440, "slot_step_minutes": 1440, "default_duration_minutes": 75}
    return await open_house(hours={"weekly": []}, policy=policy)


async def test_it_is_seated_now_for_the_usual_time(house: House, owner: asyncpg.Connection) -> None:
    response = await walk_in(house, guest_name="At the door")
    assert response.status_code == 201, response.text
    booking = response.json()
    assert (booking["status"], booking["source"], booking["duration_minutes"]) == (
        "CHECKED_IN",
        "walk_in",
        75,
    )
    start = datetime.fromisoformat(booking["start"])
    assert timedelta() <= datetime.now(UTC) - start < timedelta(minutes=2)
    assert (start.second, start.microsecond) == (0, 0)
    assert booking["checked_in_at"] == booking["created_at"]
    assert booking["resource_ids"] == house.ids("t1")
    assert len(await claims(owner, booking)) == 1
    assert (await history(house, booking))[0]["to_status"] == "CHECKED_IN"
    assert (await move(house, booking, "COMPLETED")).status_code == 200


async def test_it_takes_nobodys_place(house: House) -> None:
    taken = (await walk_in(house, resource_ids=house.ids("t1"))).json()
    body = refused(await walk_in(house, resource_ids=house.ids("t1")), 409, "TABLE_NOT_AVAILABLE")
    assert body["conflicts"][0]["owner_id"] == taken["id"]
    assert (await walk_in(house, duration_minutes=30)).json()["resource_ids"] == house.ids("t2")
    await cancel(house, taken)
    assert (await walk_in(house, resource_ids=house.ids("t1"), duration_minutes=30)).json()[
        "duration_minutes"
    ] == 30


async def test_it_is_for_staff_alone(house: House, charlie: dict[str, str]) -> None:
    for who, status, code in ((house.gina, 403, "FORBIDDEN"), (charlie, 404, "NOT_FOUND")):
        refused(await walk_in(house, who), status, code)
    refused(await walk_in(house, {}), 401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "start", [{"start": at("18:00")}, {"booking_date": "2027-01-01", "booking_time": "18:00"}]
)
async def test_it_starts_now(house: House, start: dict[str, str]) -> None:
    refused(await walk_in(house, **start), 400, "INVALID_REQUEST")


async def test_it_is_safe_to_ask_twice(house: House) -> None:
    who = {**house.bob, "idempotency-key": "door"}
    first, again = await walk_in(house, who), await walk_in(house, who)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content


def seated(venue: Venue, now: datetime) -> tuple[datetime, datetime]:
    wanted = Wanted(
        id=new_id(),
        tenant_id=venue.tenant_id,
        venue_id=venue.id,
        actor=SYSTEM,
        when=When(),
        party_size=2,
        walk_in=True,
    )
    return prepare(wanted, venue, now=now).span


NIGHT = datetime(2027, 2, 3, 22, 40, 31, tzinfo=UTC)  # 23:40 in Stockholm, a Wednesday


@pytest.mark.parametrize(
    ("weekly", "minutes"),
    [
        ([], 75),
        ([("00:00", "24:00")], 75),
        ([("10:00", "03:00")], 75),
        ([("10:00", "00:00")], 20),
        ([("10:00", "24:00"), ("00:00", "00:30")], 50),
        ([("10:00", "23:50")], 10),
    ],
)
async def test_it_ends_at_closing_at_the_latest(
    open_house: Any, app: Any, weekly: list[tuple[str, str]], minutes: int
) -> None:
    rules = [{"days": ALL_WEEK, "open": opens, "close": closes} for opens, closes in weekly]
    house = await open_house(hours={"weekly": rules}, policy={"default_duration_minutes": 75})
    start, end = seated(await app.state.engine.places.venue(UUID(house.venue_id)), NIGHT)
    assert start == NIGHT.replace(second=0)
    assert end - start == timedelta(minutes=minutes)


async def test_a_venue_that_is_closed_seats_nobody(open_house: Any) -> None:
    later = [(datetime.now(UTC) + timedelta(hours=hours)).strftime("%H:00") for hours in (6, 7)]
    hours = {"weekly": [{"days": ALL_WEEK, "open": later[0], "close": later[1]}]}
    house = await open_house(hours=hours, timezone="UTC")
    refused(await walk_in(house), 400, "OUTSIDE_OPENING_HOURS")


async def test_where_it_never_closes_it_stays_for_days(open_house: Any, app: Any) -> None:
    house = await open_house(hours={"weekly": []}, policy={"default_duration_minutes": 5 * 1440})
    start, end = seated(await app.state.engine.places.venue(UUID(house.venue_id)), NIGHT)
    assert end - start == timedelta(days=5)


async def test_its_end_can_be_said(house: House) -> None:
    end = (datetime.now(UTC) + timedelta(minutes=45)).replace(second=0, microsecond=0)
    response = await walk_in(house, end=end.isoformat())
    assert response.status_code == 201, response.text
    assert datetime.fromisoformat(response.json()["end"]) == end
    both = refused(await walk_in(house, end=end.isoformat(), duration_minutes=45), 400, "INVALID_REQUEST")
    assert both["detail"] == "give end or duration_minutes, not both"
    past = refused(await walk_in(house, end=(end - timedelta(hours=1)).isoformat()), 400, "INVALID_REQUEST")
    assert past["errors"][0]["field"] == "end"
