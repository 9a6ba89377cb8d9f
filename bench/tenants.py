"""The cost of a lookup with few and with many tenants, for users with access to all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from bench.stand import Stand
from holdfast.booking import due
from holdfast.booking import store as bookings
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.place import store as places

MANY = 100_000
TIMES = 300
FILL = """
    WITH made AS (
        INSERT INTO tenant (id, slug, name, created_at)
        SELECT gen_random_uuid(), 'many-' || n, 'Many', now() FROM generate_series(1, $1::integer) AS n
        RETURNING id
    )
    INSERT INTO venue (tenant_id, id, slug, name, kind, timezone, currency, policy, hours, slots,
                       created_at, updated_at)
    SELECT id, gen_random_uuid(), 'one', 'One', 'restaurant', 'Europe/Stockholm', 'SEK', '{}', '{}', '[]',
           now(), now()
      FROM made
"""


async def fill(stand: Stand) -> None:
    """Inserts MANY more tenants, with a venue each."""
    connection = await asyncpg.connect(stand.server.url(), server_settings={"synchronous_commit": "off"})
    try:
        await connection.execute(FILL, MANY, timeout=300)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def measure(stand: Stand) -> dict[str, float]:
    """Returns the median of each, in ms."""
    db = await Database.connect(stand.server.url(), pool_max=1)
    venue_id = stand.venues[0].id
    try:
        booking_id = await db.run(SYSTEM, _any_booking)
        return {
            "nothing": await _median_ms(lambda: db.run(SYSTEM, _nothing)),
            "booking": await _median_ms(lambda: db.run(SYSTEM, bookings.find, booking_id)),
            "venue": await _median_ms(lambda: db.run(SYSTEM, places.read_venue, venue_id)),
            "tick": await _median_ms(lambda: db.run(SYSTEM, due.expire, 100)),
        }
    finally:
        await db.close()


async def _any_booking(tx: Tx) -> Any:
    return await tx.fetchval("SELECT id FROM booking LIMIT 1")


async def _nothing(_tx: Tx) -> None:
    return None


async def _median_ms(ask: Callable[[], Awaitable[Any]]) -> float:
    taken: list[float] = []
    for _ in range(TIMES):
        started = time.perf_counter()
        await ask()
        taken.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(taken), 3)
