"""The simulation's own count says nothing about what is sound, and finds everything that is given away too often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.place.places import Places
from holdfast.simulate.count import Counted, count, most
from holdfast.simulate.record import Record
from holdfast.simulate.trades import ARENA, CELLAR, INN
from tests.conftest import House

Open = Callable[..., Any]
NOON = datetime(2040, 6, 1, 12, tzinfo=UTC)


def a_monday() -> date:
    """Three weeks ahead: the inn is closed to arrival on Sundays and to departure on Wednesdays."""
    far = datetime.now(UTC).date() + timedelta(weeks=3)
    return far + timedelta(days=-far.weekday() % 7)


DAY = a_monday()


def test_the_most_at_once_is_counted_where_one_ends_as_another_begins() -> None:
    first, second, third = (NOON + timedelta(hours=each) for each in range(3))
    assert most([(first, second, 3), (second, third, 2)]) == (3, first)
    assert most([(first, third, 3), (second, third, 2)]) == (5, second)
    assert most([(second, first, 9)]) == (0, None)


async def arena(open_house: Open) -> House:
    house: House = await open_house(**ARENA)
    sold = {"extras": [{"id": "rackets", "quantity": 5}], "discount_code": "FIVE"}
    evening = {"booking_date": str(DAY), "booking_time": "16:30", "duration_minutes": 60}
    await house.booked(
        **evening, resource_ids=house.ids("west"), party_size=9, **sold, special_requests="west"
    )
    for _ in range(2):
        await house.booked(**evening, resource_ids=house.ids("gym"), party_size=5, special_requests="class")
    await house.booked(
        **evening, resource_ids=house.ids("c3"), extras=[{"id": "balls"}], special_requests="c3"
    )
    return house


async def cellar(open_house: Open) -> House:
    house: House = await open_house(**CELLAR)
    early = {"date": str(DAY), "slot_id": "early", "special_requests": "early"}
    for size in (4, 3, 4, 3):
        await house.booked(**early, party_size=size)
    regular = {"override": ["PACING_EXCEEDED"], "override_reason": "A regular."}
    await house.booked(**early | {"special_requests": "regular"}, party_size=4, **regular)
    return house


async def inn(open_house: Open) -> House:
    house: House = await open_house(**INN)
    for _ in range(2):
        await house.booked(arrival=str(DAY), nights=1, group="double", special_requests="promised")
    cot = {"extras": [{"id": "cot"}], "special_requests": "named"}
    await house.booked(arrival=str(DAY), nights=3, resource_ids=house.ids("r5"), **cot)
    return house


async def found(db: Database, house: House, said: Mapping[str, Any]) -> str:
    """What the count finds wrong, a line each."""
    record, ids = Record(), {slug: UUID(id_) for slug, id_ in house.resources.items()}
    venue = await Places(db).venue(UUID(house.venue_id))
    at = Counted(said, venue.tenant_id, venue.id, ids, datetime.now(UTC))
    await db.call(SYSTEM, tenants=[venue.tenant_id]).run(count, at, record)
    return "\n".join(record.wrong)


OPENED = {"arena": (arena, ARENA), "cellar": (cellar, CELLAR), "inn": (inn, INN)}


@pytest.mark.parametrize("name", OPENED)
async def test_what_is_sound_is_not_complained_about(open_house: Open, db: Database, name: str) -> None:
    make, said = OPENED[name]
    assert await found(db, await make(open_house), said) == ""


ROOM = "(SELECT id FROM resource WHERE resource.venue_id = booking.venue_id AND slug = '{slug}')"
HARMS = {
    "one guest more than places": ("arena", "party_size = 6", "class", "12 units of gym"),
    "a part with its whole": (
        "arena",
        f"resource_ids = ARRAY[{ROOM.format(slug='c2')}]",
        "c3",
        "2 units of c2 are taken",
    ),
    "a whole of wholes": (
        "arena",
        f"resource_ids = ARRAY[{ROOM.format(slug='hall')}]",
        "c3",
        "2 units of c1 are taken",
    ),
    "a racket more": (
        "arena",
        """extras = '[{"id": "rackets", "quantity": 1}]'""",
        "c3",
        "6 of 5 rackets are taken",
    ),
    "balls that nobody pays for": (
        "arena",
        """extras = '[{"id": "balls", "quantity": 3}]'""",
        "c3",
        "pays for others",
    ),
    "a line that is another amount": (
        "arena",
        "price_lines = jsonb_set(price_lines, '{0,quantity}', '\"7\"')",
        "west",
        "pays",
    ),
    "a base that is no sum": (
        "arena",
        "base_minor = base_minor - 1, total_minor = total_minor - 1",
        "c3",
        "does not add up",
    ),
    "a discount without a code": (
        "arena",
        "discount_minor = 1, total_minor = total_minor - 1",
        "c3",
        "has a discount",
    ),
    "a code used four times": ("arena", "discount_code = 'FIVE'", "class", "4 bookings use FIVE"),
    "a guest more at the sitting": (
        "cellar",
        "party_size = party_size + 1",
        "early",
        "18 guests come to early",
    ),
    "a regular for whom nothing was overruled": ("cellar", "overrides = '[]'", "regular", "18 guests come"),
    "a promise of another type": (
        "inn",
        """preferences = '{"group": "single"}'""",
        "promised",
        "is for single and is on r",
    ),
    "a room that was promised": (
        "inn",
        "resource_ids = ARRAY[(SELECT resource_id FROM claim JOIN booking AS b ON b.id = owner_id"
        " WHERE b.venue_id = booking.venue_id AND b.special_requests = 'promised' LIMIT 1)]",
        "named",
        "2 units of r",
    ),
    "a night more": ("inn", "nights = 4", "named", "has 4 nights and pays for others"),
}


@pytest.mark.parametrize("name", HARMS)
async def test_what_is_given_away_too_often_is_found(
    open_house: Open, db: Database, owner: asyncpg.Connection, name: str
) -> None:
    opened, harm, of, expected = HARMS[name]
    make, said = OPENED[opened]
    house = await make(open_house)
    if name == "a code used four times":
        evening = {"booking_date": str(DAY), "booking_time": "19:00"}
        await house.booked(**evening, resource_ids=house.ids("c4"), discount_code="FIVE")
    await hurt(owner, house, harm, of)
    assert expected in await found(db, house, said)


async def hurt(owner: asyncpg.Connection, house: House, harm: str, of: str) -> None:
    """Changes bookings past all constraints of the product, but not of the database."""
    sql = f"UPDATE booking SET {harm} WHERE venue_id = $1 AND special_requests = $2"
    changed = await owner.execute(sql, UUID(house.venue_id), of)
    assert changed != "UPDATE 0"


async def test_a_promise_that_is_not_kept_is_found(
    open_house: Open, db: Database, owner: asyncpg.Connection
) -> None:
    house = await inn(open_house)
    await owner.execute(
        "DELETE FROM claim USING booking WHERE booking.id = owner_id AND special_requests = 'promised'"
        " AND venue_id = $1",
        UUID(house.venue_id),
    )
    assert "occupies nothing, and nothing is kept for it" in await found(db, house, INN)
