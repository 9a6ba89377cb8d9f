"""How soon after its commit an event can be read, and whether other transactions delay that; none should."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg

from bench import bookings
from bench.stand import Stand
from holdfast.event.number import Numberer
from holdfast.event.read import read
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database

POLL_S = 0.050  # as live channels do
CLIENTS = 16
P95_MS_MAX = 100.0
OPEN = """
    WITH written AS (
        INSERT INTO event (tenant_id, id, event_type, subject_id, payload, actor, created_at)
        SELECT id, uuidv7(), 'bench.late', id, '{}', 'system', now() FROM tenant LIMIT 1 RETURNING tenant_id, id
    )
    INSERT INTO event_new (tenant_id, event_id) SELECT tenant_id, id FROM written
"""

Situation = Callable[[Stand], AbstractAsyncContextManager[None]]


async def measure(made: Stand, *, seconds: float) -> dict[str, Any]:
    """Returns the milliseconds from writing an event to reading it by position, under full load, in each situation."""
    found: dict[str, Any] = {}
    async with made.api(live="false") as port:
        await bookings.warm_up(made, port)
        for name, situation in SITUATIONS.items():
            async with situation(made):
                found[name] = await _while_booking(made, port, seconds=seconds)
    worst = max(each["p95_ms"] for each in found.values())
    ratio = worst / found["quiet"]["p95_ms"]
    return {**found, "ratio": round(ratio, 3), "ok": worst < P95_MS_MAX}


async def _while_booking(made: Stand, port: int, *, seconds: float) -> dict[str, Any]:
    waits_ms: list[float] = []
    reading = asyncio.create_task(_follow(made, waits_ms))
    result = await bookings.measure(made, port, clients=CLIENTS, seconds=seconds)
    await asyncio.sleep(4 * POLL_S)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    ordered = sorted(waits_ms)
    return {
        "bookings_per_s": round(result.per_s(201)),
        "events": len(ordered),
        "p50_ms": round(ordered[len(ordered) // 2], 1),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)], 1),
        "longest_ms": round(ordered[-1], 1),
    }


async def _follow(made: Stand, waits_ms: list[float]) -> None:
    """Polls like the live channels."""
    db = await Database.connect(made.server.url(), pool_max=2)
    numberer, call = Numberer(db), db.call(SYSTEM, own_clock=True)
    at = (await numberer.number()).head
    try:
        while True:
            head = (await numberer.number()).head
            while at < head:
                page = await call.run(read, after=at)
                now = time.time()
                waits_ms += [(now - each.written_at.timestamp()) * 1000 for each in page]
                at = page[-1].position
            await asyncio.sleep(POLL_S)
    finally:
        await db.close()


@asynccontextmanager
async def _quiet(_made: Stand) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _own_transaction(made: Stand) -> AsyncIterator[None]:
    """An uncommitted transaction that has written an event."""
    async with _connection(made.server.url()) as connection, connection.transaction():
        await connection.execute(OPEN)
        yield


@asynccontextmanager
async def _foreign_transaction(made: Stand) -> AsyncIterator[None]:
    """An uncommitted transaction in another database of the server."""
    async with _connection(made.server.url("postgres")) as connection, connection.transaction():
        await connection.fetchval("SELECT pg_current_xact_id()")
        yield


@asynccontextmanager
async def _old_snapshot(made: Stand) -> AsyncIterator[None]:
    """A dump of the database, so that no dead row can be removed."""
    async with (
        _connection(made.server.url()) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.fetchval("SELECT count(*) FROM tenant")
        yield


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url, server_settings={"holdfast.tenants": "*"})
    try:
        yield connection
    finally:
        await connection.close()


SITUATIONS: dict[str, Situation] = {
    "quiet": _quiet,
    "own_transaction_open": _own_transaction,
    "foreign_transaction_open": _foreign_transaction,
    "old_snapshot_open": _old_snapshot,
}
