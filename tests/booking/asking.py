"""Short ways to ask the API, and to say what must come back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import httpx

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from tests.conftest import House

STOCKHOLM = ZoneInfo("Europe/Stockholm")


def _a_wednesday() -> date:
    """Six weeks ahead; clocks change on Sundays."""
    far = datetime.now(UTC).date() + timedelta(weeks=6)
    return far + timedelta(days=(2 - far.weekday()) % 7)


DAY = _a_wednesday()


def instant(clock: str, days: int = 0) -> datetime:
    """That time on the venue's clock, `days` after DAY, in UTC; 24:00 and later is the next day's."""
    hour, minute = map(int, clock.split(":"))
    wall = datetime.combine(DAY + timedelta(days=days), time()) + timedelta(hours=hour, minutes=minute)
    return wall.replace(tzinfo=STOCKHOLM).astimezone(UTC)


def at(clock: str, days: int = 0) -> str:
    """The same as a client writes it."""
    return instant(clock, days).astimezone(STOCKHOLM).isoformat()


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem, which must be of that status and code and say what it is about."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["code"], body["status"]) == (code, status)
    assert body["detail"]
    assert body["title"]
    assert body["type"].startswith("urn:holdfast:problem:")
    assert body["instance"]
    return body


async def in_one(tx: Tx, verb: Callable[..., Awaitable[Any]], /, *args: Any, **kwargs: Any) -> Any:
    """What reads in parts, `await read(verb, *args)`, in one transaction."""
    return await verb(tx, *args, **kwargs)


async def cancel(
    house: House, booking: dict[str, Any], who: dict[str, str] | None = None, **body: Any
) -> httpx.Response:
    body = {"expected_version": booking["version"], **body}
    return await house.client.post(f"/bookings/{booking['id']}/cancel", json=body, headers=who or house.bob)


async def move(
    house: House, booking: dict[str, Any], to: str, who: dict[str, str] | None = None, **body: Any
) -> httpx.Response:
    body = {"to": to, "expected_version": booking["version"], **body}
    return await house.client.post(f"/bookings/{booking['id']}/status", json=body, headers=who or house.bob)


async def change(
    house: House, booking: dict[str, Any], who: dict[str, str] | None = None, **body: Any
) -> httpx.Response:
    body = {"expected_version": booking["version"], **body}
    return await house.client.put(f"/bookings/{booking['id']}", json=body, headers=who or house.bob)


async def read(house: House, booking: dict[str, Any], who: dict[str, str] | None = None) -> dict[str, Any]:
    response = await house.client.get(f"/bookings/{booking['id']}", headers=who or house.bob)
    assert response.status_code == 200, response.text
    return response.json()


async def history(house: House, booking: dict[str, Any]) -> list[dict[str, Any]]:
    response = await house.client.get(f"/bookings/{booking['id']}/history?limit=500", headers=house.bob)
    assert response.status_code == 200, response.text
    return response.json()["items"]


async def tenant_id(owner: asyncpg.Connection, house: House) -> UUID:
    return UUID(str(await owner.fetchval("SELECT tenant_id FROM venue WHERE id = $1", house.venue_id)))


async def claims(
    owner: asyncpg.Connection, booking: dict[str, Any]
) -> list[tuple[str, int, datetime, datetime]]:
    """What the booking occupies: resource, unit, from, to."""
    rows = await owner.fetch(
        "SELECT resource_id, unit, lower(during), upper(during) FROM claim WHERE owner_id = $1"
        " ORDER BY resource_id, unit",
        booking["id"],
    )
    return [(str(row[0]), row[1], row[2], row[3]) for row in rows]


async def tick(
    db: Database, tenant: UUID, verb: Callable[[Tx, int], Awaitable[int]], *, now: datetime, limit: int = 100
) -> int:
    """Runs the tick as if it were `now`, on that tenant's bookings alone."""
    return await db.call(SYSTEM, tenants=[tenant], now=now).run(verb, limit)
