"""Changes of many bookings at once: each is judged as by itself, and all are written together."""

from __future__ import annotations

from datetime import time
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.assigning.preferences import Preferences
from holdfast.booking.change import Change, change, decide_set, write_set
from holdfast.booking.deciding.around import Revised
from holdfast.booking.model import Booking
from holdfast.booking.wanted import When
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx, lock_key
from holdfast.kernel.errors import HoldfastError, NotFound
from holdfast.kernel.ids import new_id
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from tests.conftest import House

from .asking import at, instant

Json = dict[str, Any]
WINDOW = Preferences(zones=("window",))


async def under_lock(db: Database, house: House, verb: Any, asked: Any) -> Any:
    venue = await Places(db).venue(UUID(house.venue_id))
    return await db.call(SYSTEM, locks=[lock_key(venue.id)]).run(verb, asked, venue=venue)


async def put(tx: Tx, asked: list[Change], *, venue: Venue) -> tuple[list[Booking | str], int]:
    """What became of each, or the code it was refused with, and the number of round trips."""
    before = tx.round_trips
    decided = await decide_set(tx, asked, venue=venue)
    await write_set(tx, decided, venue=venue)
    found = [each.after if isinstance(each, Revised) else code(each) for each in decided.outcomes]
    return found, tx.round_trips - before


def code(outcome: Revised | HoldfastError) -> str:
    assert isinstance(outcome, HoldfastError)
    return outcome.code


def later(booking: Json, clock: str, day: int = 0, **more: Any) -> Change:
    when = When(start=instant(clock, day))
    return Change(booking_id=UUID(booking["id"]), expected_version=1, when=when, **more)


async def days(house: House, many: int, **wanted: Any) -> list[Json]:
    """Bookings of the same table on so many days."""
    return [
        await house.booked(start=at("18:00", day), resource_ids=house.ids("t1"), **wanted)
        for day in range(many)
    ]


async def test_many_take_no_more_round_trips_than_one(db: Database, open_house: Any) -> None:
    trips = []
    for many in (1, 20):
        house: House = await open_house(policy={"slot_step_minutes": 15, "pacing_covers_max": 20})
        made = await days(house, many)
        asked = [later(each, "19:00", day) for day, each in enumerate(made)]
        found, count = await under_lock(db, house, put, asked)
        assert [each.start_at for each in found] == [instant("19:00", day) for day in range(many)]
        trips.append(count)
    assert trips[0] == trips[1] <= 7


async def test_two_that_change_places_are_not_in_each_others_way(
    db: Database, house: House, owner: asyncpg.Connection
) -> None:
    made = [
        await house.booked(start=at("18:00"), resource_ids=house.ids(slug), party_size=2)
        for slug in ("t2", "t3")
    ]
    asked = [
        Change(
            booking_id=UUID(each["id"]), expected_version=1, resource_ids=tuple(map(UUID, house.ids(slug)))
        )
        for each, slug in zip(made, ("t3", "t2"), strict=True)
    ]
    found, _ = await under_lock(db, house, put, asked)
    assert [[str(id_) for id_ in each.resource_ids] for each in found] == [house.ids("t3"), house.ids("t2")]
    rows = await owner.fetch(
        "SELECT owner_id, resource_id FROM claim WHERE owner_id = ANY ($1::uuid[])",
        [UUID(each["id"]) for each in made],
    )
    assert {(row["owner_id"], row["resource_id"]) for row in rows} == {
        (each.id, each.resource_ids[0]) for each in found
    }


async def test_they_are_in_each_others_way_where_they_go(db: Database, house: House) -> None:
    made = await days(house, 2)
    found, _ = await under_lock(db, house, put, [later(each, "20:00", 5) for each in made])
    assert isinstance(found[0], Booking)
    assert found[1] == "TABLE_NOT_AVAILABLE"


async def test_pacing_counts_who_goes_there_and_not_who_has_left(db: Database, open_house: Any) -> None:
    house: House = await open_house(policy={"slot_step_minutes": 15, "pacing_covers_max": 4})
    going = [
        await house.booked(start=at("12:00"), resource_ids=house.ids(slug), party_size=2)
        for slug in ("t1", "t2")
    ]
    coming = [
        await house.booked(start=at("18:00"), resource_ids=house.ids(slug), party_size=2)
        for slug in ("t1", "t2")
    ]
    one_more = await house.booked(start=at("18:00", 1), resource_ids=house.ids("t3"), party_size=2)
    asked = [*(later(each, "15:00") for each in going), *(later(each, "12:00") for each in coming)]
    found, _ = await under_lock(db, house, put, [*asked, later(one_more, "12:00")])
    assert [each if isinstance(each, str) else each.start_at for each in found] == [
        *[instant("15:00")] * 2,
        *[instant("12:00")] * 2,
        "PACING_EXCEEDED",
    ]


async def test_each_that_is_refused_stays_as_it_is(db: Database, house: House) -> None:
    made = await days(house, 3)
    await house.booked(start=at("20:00", 2), resource_ids=house.ids("t1"))
    asked = [
        later(made[0], "19:00"),
        Change(booking_id=UUID(made[1]["id"]), expected_version=7, party_size=1),
        later(made[2], "19:00", 2),
        Change(booking_id=new_id(), expected_version=1, party_size=1),
        Change(booking_id=UUID(made[0]["id"]), expected_version=1, party_size=1),
    ]
    found, _ = await under_lock(db, house, put, asked)
    assert found[1:] == ["VERSION_CONFLICT", "TABLE_NOT_AVAILABLE", "NOT_FOUND", "NOT_FOUND"]
    read = [await house.client.get(f"/bookings/{each['id']}", headers=house.bob) for each in made]
    assert [(each.json()["booking_time"], each.json()["version"]) for each in read] == [
        ("19:00", 2),
        ("18:00", 1),
        ("18:00", 1),
    ]


async def test_what_was_planned_is_all_that_is_looked_at(db: Database, house: House) -> None:
    """T1 would do, and is free."""
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t3"))
    await house.booked(start=at("18:00"), resource_ids=house.ids("t2"))
    t2 = tuple(map(UUID, house.ids("t2")))
    asked = later(booking, "18:00", preferences=WINDOW, planned=t2)
    with pytest.raises(HoldfastError) as refused:
        await under_lock(db, house, change, asked)
    assert refused.value.code == "TABLE_NOT_AVAILABLE"
    after = await under_lock(db, house, change, later(booking, "20:00", preferences=WINDOW, planned=t2))
    assert (after.resource_ids, after.local_start.time()) == (t2, time(20))


async def test_one_that_is_not_there_is_not_found(db: Database, house: House) -> None:
    with pytest.raises(NotFound):
        await under_lock(db, house, change, Change(booking_id=new_id(), expected_version=1, party_size=1))
