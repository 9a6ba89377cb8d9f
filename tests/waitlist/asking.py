"""Short ways to queue, and to have the queue move."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db import Database
from holdfast.kernel.span import Span
from holdfast.kernel.tx import Tx, lock_key
from holdfast.place.places import Places
from holdfast.port.pricing import LocalPricing
from holdfast.waitlist.promote import promote
from tests.booking.asking import at, instant
from tests.conftest import House

Json = dict[str, Any]


async def ask_to_join(house: House, who: dict[str, str] | None = None, **wanted: Any) -> httpx.Response:
    """From 18:00 to 20:00 on DAY for two, unless something else is wanted."""
    body = {
        "venue_id": house.venue_id,
        "party_size": 2,
        "earliest": at("18:00"),
        "latest": at("20:00"),
        **wanted,
    }
    headers = house.bob if who is None else who
    return await house.client.post("/waitlist", json=body, headers=headers)


async def joined(house: House, who: dict[str, str] | None = None, **wanted: Any) -> Json:
    response = await ask_to_join(house, who, **wanted)
    assert response.status_code == 201, response.text
    return response.json()


async def entry_of(house: House, entry: Json, who: dict[str, str] | None = None) -> Json:
    response = await house.client.get(f"/waitlist/{entry['id']}", headers=who or house.bob)
    assert response.status_code == 200, response.text
    return response.json()


async def answer(house: House, entry: Json, how: str, who: dict[str, str] | None = None) -> httpx.Response:
    headers = house.bob if who is None else who
    if how == "leave":
        return await house.client.delete(f"/waitlist/{entry['id']}", headers=headers)
    return await house.client.post(f"/waitlist/{entry['id']}/{how}", headers=headers)


async def promoted(
    db: Database, house: House, *, now: datetime | None = None, around: Span | None = None
) -> int:
    """Has the venue's queue move, as if it were `now`; answers how many offers were made."""
    venue_id, places = UUID(house.venue_id), Places(db)
    venue = await places.venue(venue_id)

    async def verb(tx: Tx) -> int:
        return await promote(tx, venue, places=places, pricing=LocalPricing(), around=around)

    call = db.call(SYSTEM, tenants=[venue.tenant_id], locks=[lock_key(venue_id)], now=now)
    return await call.run(verb)


def around(start: str, end: str) -> Span:
    return Span(instant(start), instant(end))


async def told(owner: asyncpg.Connection, entry: Json) -> list[asyncpg.Record]:
    """The events about the entry, in order."""
    return await owner.fetch("SELECT * FROM event WHERE subject_id = $1 ORDER BY id", UUID(entry["id"]))
