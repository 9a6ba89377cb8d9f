"""Nobody gets round fair use by waiting, and nobody who has too much keeps the place from the next."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from holdfast.kernel.db.database import Database
from tests.booking.asking import at, cancel, refused
from tests.conftest import House

from .asking import Json, answer, entry_of, joined, promoted

ROOM = {"slug": "room", "name": "Room", "kind": "room", "seats_max": 4}


@pytest.fixture
async def taken(open_house: Any) -> tuple[House, Json]:
    """A venue at which a guest may have one booking, with one room, which is taken; and the booking that has it."""
    rules = [
        {"per": "guest", "groups": ["members"], "open_bookings_max": 2},
        {"per": "guest", "open_bookings_max": 1},
    ]
    house = await open_house(resources=[ROOM], policy={"fair_use": rules})
    return house, await house.booked(start=at("18:00"), end=at("22:00"))


async def status(house: House, entry: Json) -> str:
    return (await entry_of(house, entry))["status"]


async def test_the_next_gets_what_the_first_may_not_have(db: Database, taken: tuple[House, Json]) -> None:
    house, booking = taken
    nina = house.headers("guest", subject="nina")
    other = await house.booked(house.gina, start=at("12:00"))
    first, second = await joined(house, house.gina), await joined(house, nina)
    await cancel(house, booking)
    assert await promoted(db, house) == 1
    assert [await status(house, each) for each in (first, second)] == ["WAITING", "OFFERED"]
    refused(await house.book(nina, start=at("12:00", 1)), 429, "QUOTA_EXCEEDED")  # the offer counts
    assert (await answer(house, second, "accept", nina)).json()["status"] == "ACCEPTED"
    await cancel(house, other, house.gina)
    assert await promoted(db, house) == 1  # from 19:30 on
    assert await status(house, first) == "OFFERED"


async def test_two_entries_of_one_guest_get_one_offer(db: Database, taken: tuple[House, Json]) -> None:
    house, booking = taken
    entries = [await joined(house, house.gina, latest=at("20:30")) for _ in range(2)]
    await cancel(house, booking)
    assert await promoted(db, house) == 1
    assert [await status(house, each) for each in entries] == ["OFFERED", "WAITING"]


async def test_the_groups_of_who_joined_count(
    db: Database, taken: tuple[House, Json], owner: asyncpg.Connection
) -> None:
    house, booking = taken
    gina = house.headers("guest", subject="gina", groups=["members", "others"])
    await house.booked(gina, start=at("12:00"))
    entry = await joined(house, gina)
    stored = "SELECT joined_groups FROM waitlist_entry WHERE id = $1"
    assert await owner.fetchval(stored, entry["id"]) == ["members"]
    await cancel(house, booking)
    assert await promoted(db, house) == 1
    assert (await answer(house, entry, "accept", gina)).json()["status"] == "ACCEPTED"
    assert await owner.fetchval(stored, entry["id"]) == []


async def test_other_times_are_offered_instead(db: Database, open_house: Any) -> None:
    policy = {"fair_use": [{"per": "guest", "at_once_max": 1}]}
    house = await open_house(resources=[ROOM, {**ROOM, "slug": "other", "name": "Other"}], policy=policy)
    both = [await house.booked(start=at("18:00"), end=at("22:00")) for _ in range(2)]
    entry = await joined(house, house.gina)
    await cancel(house, both[0])
    await house.booked(house.gina, start=at("18:00"), duration_minutes=60)
    await cancel(house, both[1])
    assert await promoted(db, house) == 1
    assert (await entry_of(house, entry))["offer"]["start"] == at("19:00")


async def test_offers_count_for_the_address(db: Database, open_house: Any) -> None:
    policy = {"fair_use": [{"per": "address", "open_bookings_max": 1}]}
    house = await open_house(resources=[ROOM], policy=policy)
    booking = await house.booked(start=at("18:00"), end=at("22:00"))
    guests = [house.headers("guest", subject=each) for each in ("gina", "nina")]
    entries = [await joined(house, each) for each in guests]
    await cancel(house, booking)
    assert await promoted(db, house) == 1
    assert [await status(house, each) for each in entries] == ["OFFERED", "WAITING"]
    refused(await house.book(guests[1], start=at("12:00")), 429, "QUOTA_EXCEEDED")
