"""Whether the purge keeps up during bookings: many expired keys, and months of old events."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg

from bench import bookings
from bench.stand import Stand
from holdfast.event.months import drop_months
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.main.ticks import purge_idempotency

BATCH = 1_000
PURGED_PER_S_MIN = 1_000.0
KEYS = """
    INSERT INTO idempotency (tenant_id, operation, key, request_hash, code, body, created_at, expires_at)
    SELECT tenant.id, 'create', 'old-' || n, sha256(n::text::bytea), 'DONE', repeat('x', 900),
           now() - interval '2 days', now() - interval '1 day'
      FROM (SELECT id FROM tenant LIMIT 1) AS tenant, generate_series(1, $1) AS n
"""
MONTHS = """
    CREATE TABLE event_2020_01 PARTITION OF event FOR VALUES FROM ('016f5e66-e800-0000-0000-000000000000')
                                                          TO ('016ffe0c-0c00-0000-0000-000000000000');
    CREATE TABLE event_log_2020_01 PARTITION OF event_log FOR VALUES FROM ('016f5e66-e800-0000-0000-000000000000')
                                                                  TO ('016ffe0c-0c00-0000-0000-000000000000')
"""
EVENTS = """
    WITH made AS (
        INSERT INTO event (tenant_id, id, event_type, subject_id, payload, actor, created_at)
        SELECT tenant.id, ('016f5e66-e800-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'bench.old', tenant.id,
               jsonb_build_object('n', n, 'text', repeat('x', 300)), 'system', now()
          FROM (SELECT id FROM tenant LIMIT 1) AS tenant, generate_series(1, $1) AS n
     RETURNING tenant_id, id
    )
    INSERT INTO event_log (position, tenant_id, event_id)
    SELECT (SELECT coalesce(max(position), 0) FROM event_log) + row_number() OVER (), tenant_id, id FROM made
"""


async def measure(made: Stand, *, seconds: float, keys: int, events: int) -> dict[str, Any]:
    """Returns rows removed per second during a full load of bookings; ratio: bookings with the purge to without."""
    owner = await asyncpg.connect(
        made.server.url(), server_settings={"holdfast.tenants": "*", "synchronous_commit": "off"}
    )
    await owner.execute(KEYS, keys)
    await owner.execute(MONTHS)
    await owner.execute(EVENTS, events)
    await owner.execute("VACUUM ANALYZE")
    print(f"  {keys:,} expired keys and {events:,} old events in the tables", flush=True)
    async with made.api() as port:
        await bookings.warm_up(made, port)
        without = await bookings.measure(made, port, clients=64, seconds=seconds)
        dropped_s = await _dropped(made)
        purging = asyncio.create_task(_purge(made))
        beside = await bookings.measure(made, port, clients=64, seconds=seconds)
        purging.cancel()
        purged, purge_s = await purging
        again = await bookings.measure(made, port, clients=64, seconds=seconds)
    left = await owner.fetchval("SELECT count(*) FROM event WHERE event_type = 'bench.old'")
    await owner.close()
    alone = (without.per_s(201) + again.per_s(201)) / 2
    return {
        "bookings_per_s": round(alone),
        "bookings_per_s_beside_purge": round(beside.per_s(201)),
        "purged_per_s": round(purged / purge_s),
        "events_dropped": events - left,
        "events_dropped_s": round(dropped_s, 2),
        "ratio": round(beside.per_s(201) / alone, 3),
        "ok": purged / purge_s >= max(PURGED_PER_S_MIN, beside.per_s(201)) and left == 0,
    }


async def _dropped(made: Stand) -> float:
    db = await Database.connect(made.server.url(), pool_max=1)
    started = time.perf_counter()
    await db.run(SYSTEM, drop_months, BATCH)
    await db.close()
    return time.perf_counter() - started


async def _purge(made: Stand) -> tuple[int, float]:
    """Purges like the worker until cancelled. Returns the number of rows and the seconds."""
    db = await Database.connect(made.server.url(), pool_max=1)
    started, purged = time.perf_counter(), 0
    try:
        while (count := await db.run(SYSTEM, purge_idempotency, BATCH)) == BATCH:
            purged += count
    except asyncio.CancelledError:
        pass
    took_s = time.perf_counter() - started
    await db.close()
    return purged, took_s
