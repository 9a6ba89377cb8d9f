"""Holds: they occupy for a while, and nobody keeps too many."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
import pytest
from fastapi import FastAPI

from holdfast.channel.names import availability
from holdfast.channel.store import open_channel
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import lock_key
from holdfast.place.opening.slot import DAY_SLOT_ID
from tests.conftest import House

from .asking import DAY, at, cancel, claims, move, refused, tenant_id


async def test_a_hold_occupies_until_it_expires(house: House, owner: asyncpg.Connection) -> None:
    await house.change_policy(hold_ttl_seconds=120)
    wanted = {"start": at("18:00"), "resource_ids": house.ids("t1")}
    held = await house.booked(**wanted, hold=True)
    ttl = datetime.fromisoformat(held["expires_at"]) - datetime.fromisoformat(held["created_at"])
    assert ttl.total_seconds() == 120
    assert len(await claims(owner, held)) == 1
    until = await owner.fetchval("SELECT expires_at FROM claim WHERE owner_id = $1", held["id"])
    assert until == datetime.fromisoformat(held["expires_at"])
    refused(await house.book(**wanted), 409, "TABLE_NOT_AVAILABLE")


async def test_a_guest_has_so_many_at_a_time(house: House) -> None:
    await house.change_policy(holds_per_guest_max=2)
    wanted = {"resource_ids": house.ids("s1"), "start": at("18:00")}
    first = await house.booked(house.gina, **wanted, hold=True)
    second = await house.booked(house.gina, **wanted, hold=True)
    response = await house.book(house.gina, **wanted, hold=True)
    assert int(response.headers["retry-after"]) >= 1
    assert refused(response, 429, "TOO_MANY_HOLDS")["holds_max"] == 2
    # A booking is no hold, another guest is another guest, and staff hold for whom they like.
    await house.booked(house.gina, **wanted)
    await house.booked(house.headers("guest", subject="hugo"), **wanted, hold=True)
    await house.booked(**wanted, guest_id="gina", hold=True)
    # Gina has three open now, one of them made for her by staff: two must end before she makes another.
    await cancel(house, first, house.gina)
    refused(await house.book(house.gina, **wanted, hold=True), 429, "TOO_MANY_HOLDS")
    await move(house, second, "RESERVED", house.gina)
    await house.booked(house.gina, **wanted, hold=True)


@pytest.mark.parametrize("address", ["198.51.100.7", "2001:db8::7", "fe80::1%eth0"])
async def test_an_address_has_so_many_at_a_time(house: House, app: FastAPI, address: str) -> None:
    await house.change_policy(holds_per_ip_max=2)
    wanted = {"venue_id": house.venue_id, "party_size": 2, "start": at("18:00"), "hold": True}
    wanted |= {"resource_ids": house.ids("s1")}

    async def hold_from(where: str, guest: int) -> httpx.Response:
        transport = httpx.ASGITransport(app=app, client=(where, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test/api/v1") as http:
            who = house.headers("guest", subject=f"guest-{guest}")
            return await http.post("/bookings", json=wanted, headers=who)

    answers = [await hold_from(address, guest) for guest in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    refused(answers[2], 429, "TOO_MANY_HOLDS")
    assert (await hold_from("198.51.100.8", 0)).status_code == 201


async def test_an_address_that_is_none_is_counted_for_nobody(house: House, app: FastAPI) -> None:
    transport = httpx.ASGITransport(app=app, client=("somewhere", 1))
    body = {"venue_id": house.venue_id, "party_size": 2, "start": at("18:00"), "hold": True}
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test/api/v1") as http:
        response = await http.post("/bookings", json=body, headers=house.gina)
    assert response.status_code == 201, response.text


async def test_the_quota_holds_for_many_at_once(house: House) -> None:
    await house.change_policy(holds_per_guest_max=3)
    wanted: dict[str, Any] = {"resource_ids": house.ids("s1"), "start": at("18:00"), "hold": True}
    answers = await asyncio.gather(*(house.book(house.gina, **wanted) for _ in range(9)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [429] * 6


async def test_the_address_is_forgotten_with_the_hold(house: House, owner: asyncpg.Connection) -> None:
    held = await house.booked(house.gina, start=at("18:00"), hold=True)
    ip = "SELECT host(hold_ip) FROM booking WHERE id = $1"
    assert await owner.fetchval(ip, held["id"]) == "127.0.0.1"
    await move(house, held, "RESERVED", house.gina)
    assert await owner.fetchval(ip, held["id"]) is None


async def test_one_that_makes_room_is_told_of_on_all_the_days_it_held(
    db: Database, house: House, owner: asyncpg.Connection
) -> None:
    lane = house.ids("l1")
    hours = {
        "weekly": [{"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": "00:00", "close": "24:00"}]
    }
    await house.replace({**house.document, "hours": hours})
    held = await house.booked(start=at("15:00"), end=at("15:00", 8), resource_ids=lane, hold=True)
    name, venue_id = availability(DAY + timedelta(days=6), DAY_SLOT_ID), UUID(house.venue_id)
    await db.call(SYSTEM, locks=[lock_key(venue_id)]).run(
        open_channel, tenant_id=await tenant_id(owner, house), venue_id=venue_id, name=name
    )
    over = {"booking": "id", "claim": "owner_id"}
    for table, column in over.items():
        await owner.execute(f"UPDATE {table} SET expires_at = now() WHERE {column} = $1", UUID(held["id"]))
    await house.booked(start=at("15:00"), end=at("15:00", 1), resource_ids=lane)
    told = await owner.fetch("SELECT payload FROM event WHERE venue_id = $1 AND channel = $2", venue_id, name)
    payloads = [orjson.loads(row["payload"]) for row in told]
    assert [(each["section_id"], each["previous_state"], each["new_state"]) for each in payloads] == [
        (lane[0], "held", "available")
    ]
