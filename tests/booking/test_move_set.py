from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from holdfast.booking.move import Move, move_set
from holdfast.booking.states import InvalidTransition, Status
from holdfast.kernel.actor import SYSTEM, Actor
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx, lock_key
from holdfast.kernel.errors import HoldfastError, NotFound, VersionConflict
from holdfast.place.places import Places
from tests.conftest import House

DAY = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"


async def two_bookings(house: House) -> list[dict[str, Any]]:
    wanted = {"booking_date": DAY, "booking_time": "19:00"}
    return [await house.booked(**wanted, resource_ids=house.ids(slug)) for slug in ("t1", "t2")]


def steps(bookings: list[dict[str, Any]], *to: Status, version: int = 1) -> list[Move]:
    return [
        Move(booking_id=UUID(booking["id"]), to=status, expected_version=version)
        for booking, status in zip(bookings, to, strict=True)
    ]


async def put(
    db: Database, house: House, asked: list[Move], *, actor: Actor = SYSTEM
) -> list[tuple[str, int]]:
    venue = await Places(db).venue(UUID(house.venue_id))
    call = db.call(actor, locks=[lock_key(venue.id)], tenants=[venue.tenant_id])
    return [(after.status, after.version) for after in await call.run(move_set, asked, venue=venue)]


async def states(house: House, bookings: list[dict[str, Any]]) -> list[str]:
    read = [await house.client.get(f"/bookings/{each['id']}", headers=house.bob) for each in bookings]
    return [each.json()["status"] for each in read]


async def claims(db: Database, bookings: list[dict[str, Any]]) -> int:
    async def count(tx: Tx) -> int:
        ids = [UUID(each["id"]) for each in bookings]
        return await tx.fetchval("SELECT count(*) FROM claim WHERE owner_id = ANY ($1::uuid[])", ids)

    return await db.run(SYSTEM, count)


async def test_each_takes_its_step_and_frees_what_it_gives_up(db: Database, house: House) -> None:
    made = await two_bookings(house)
    asked = steps(made, Status.CHECKED_IN, Status.CANCELLED)
    assert await put(db, house, asked) == [("CHECKED_IN", 2), ("CANCELLED", 2)]
    assert await states(house, made) == ["CHECKED_IN", "CANCELLED"]
    assert await claims(db, made) == 1
    history = await house.client.get(f"/bookings/{made[1]['id']}/history", headers=house.bob)
    assert [each["action"] for each in history.json()["items"]] == ["create", "cancel"]


@pytest.mark.parametrize(
    ("second", "error"),
    [
        ({"to": Status.COMPLETED}, InvalidTransition),
        ({"expected_version": 7}, VersionConflict),
        ({"booking_id": UUID(int=1)}, NotFound),
        ({"twice": True}, NotFound),
    ],
)
async def test_one_that_is_refused_keeps_the_others_back(
    db: Database, house: House, second: dict[str, Any], error: type[HoldfastError]
) -> None:
    made = await two_bookings(house)
    asked = steps(made, Status.CANCELLED, Status.CHECKED_IN)
    if second.pop("twice", False):
        asked[1] = asked[0]
    values = {"booking_id": asked[1].booking_id, "to": asked[1].to, "expected_version": 1, **second}
    with pytest.raises(error):
        await put(db, house, [asked[0], Move(**values)])
    assert await states(house, made) == ["RESERVED", "RESERVED"]
    assert await claims(db, made) == 2


async def test_a_stranger_sees_none_of_them(db: Database, house: House) -> None:
    made = await two_bookings(house)
    charlie = Actor(kind="guest", id="charlie", tenant_ids=())
    with pytest.raises(NotFound):
        await put(db, house, steps(made, Status.CANCELLED, Status.CANCELLED), actor=charlie)


async def test_none_is_none(db: Database, house: House) -> None:
    assert await put(db, house, []) == []
