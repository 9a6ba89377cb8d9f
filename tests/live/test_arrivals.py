"""Each change of who arrives is told on the channels of the slots for whose bookings it counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from tests.block.asking import block, remove
from tests.booking.asking import DAY, at, cancel, change, move, read
from tests.conftest import House
from tests.live.following import Follow, follow

__all__ = ["follow"]
SLOTS = [{"id": "early", "name": "Early", "start": "18:00", "minutes": 90}]
TABLES = [{"slug": each, "name": each.upper(), "seats_max": 4} for each in ("t1", "t2", "t3")]
EARLY = {"date": str(DAY), "slot_id": "early"}
Booking = dict[str, Any]
Act = Callable[[House, Booking, asyncpg.Connection], Awaitable[Any]]


async def comes(house: House, booking: Booking, owner: asyncpg.Connection) -> None:
    await cancel(house, booking)
    await house.booked(**EARLY, party_size=4, resource_ids=house.ids("t1"))


async def is_cancelled(house: House, booking: Booking, owner: asyncpg.Connection) -> None:
    assert (await cancel(house, booking)).status_code == 200


async def is_fewer(house: House, booking: Booking, owner: asyncpg.Connection) -> None:
    assert (await change(house, booking, party_size=2)).status_code == 200


async def comes_later(house: House, booking: Booking, owner: asyncpg.Connection) -> None:
    response = await change(house, booking, start=at("20:00"), duration_minutes=90)
    assert response.status_code == 200, response.text


async def loses_a_thing(house: House, booking: Booking, owner: asyncpg.Connection) -> None:
    await cancel(house, booking)
    order = await house.booked(
        **EARLY,
        party_size=None,
        items=[{"party_size": 2, "resource_ids": house.ids(each)} for each in ("t1", "t2")],
    )
    path = f"/bookings/{order['id']}/items/{order['items'][0]['id']}/cancel"
    body = {"expected_version": order["version"]}
    assert (await house.client.post(path, json=body, headers=house.bob)).status_code == 200


async def is_displaced(house: House, booking: Booking, owner: asyncpg.Connection) -> None:
    await _block(house)


async def comes_back(house: House, booking: Booking, owner: asyncpg.Connection) -> None:
    assert (await remove(house, await _block(house))).status_code == 204
    assert (await move(house, await read(house, booking), "CONFIRMED")).status_code == 200


async def _block(house: House) -> dict[str, Any]:
    response = await block(house, "t1", start=at("17:00"), end=at("23:00"), on_conflict="displace")
    assert response.status_code == 201, response.text
    return response.json()


async def makes_room(house: House, booking: Booking, owner: asyncpg.Connection) -> None:
    """It was a hold that has expired, and somebody else takes its table before anything sweeps it."""
    await cancel(house, booking)
    hold = await house.booked(**EARLY, party_size=4, hold=True, resource_ids=house.ids("t1"))
    for table, column in (("booking", "id"), ("claim", "owner_id")):
        sql = f"UPDATE {table} SET expires_at = now() - interval '1 s' WHERE {column} = $1"
        await owner.execute(sql, hold["id"])
    await house.booked(**EARLY, party_size=1, resource_ids=house.ids("t1"))


ACTS: list[Act] = [
    comes, is_cancelled, is_fewer, comes_later, loses_a_thing, is_displaced, comes_back, makes_room,
]  # fmt: skip


@pytest.mark.parametrize("act", ACTS, ids=[each.__name__ for each in ACTS])
async def test_guests_are_told(open_house: Any, follow: Follow, owner: asyncpg.Connection, act: Act) -> None:
    policy = {"pacing": [{"slots": ["early"], "covers_max": 4}], "starts": "slots"}
    house: House = await open_house(resources=TABLES, slots=SLOTS, policy=policy)
    booking = await house.booked(**EARLY, party_size=4, resource_ids=house.ids("t1"))
    guest = await follow(house, slots=["early"])
    await act(house, booking, owner)
    await guest.agrees()
    assert guest.events > 0
