"""The cost of a booking with few and with many bookings in the tables."""

from __future__ import annotations

import asyncpg

from bench.stand import Stand

# Each occupies its own resource and day from 10:00 to 11:15 (buffer included), so that they don't overlap each other or
# the measured bookings, which start later.
FILL = """
    WITH numbered AS (
        SELECT row_number() OVER (ORDER BY r.id) - 1 AS k, r.tenant_id, r.venue_id, r.id FROM resource r
    ), made AS (
        SELECT n, r.tenant_id, r.venue_id, r.id AS resource_id, gen_random_uuid() AS id,
               (current_date + 2 + (n / $2)::int) + time '10:00' AS local_start,
               ((current_date + 2 + (n / $2)::int) + time '10:00') AT TIME ZONE 'Europe/Stockholm' AS starts
          FROM generate_series($1::bigint, $3::bigint - 1) AS n
          JOIN numbered r ON r.k = n % $2
    ), booked AS (
        INSERT INTO booking (tenant_id, id, venue_id, reference, status, version, start_at, end_at, local_start,
                             local_end, timezone, party_size, resource_ids, guest_name, base_minor, tax_minor,
                             discount_minor, total_minor, currency, price_source, source, due_at, created_at,
                             updated_at)
        SELECT tenant_id, id, venue_id, 'BR-' || n, 'RESERVED', 1, starts, starts + interval '1 hour', local_start,
               local_start + interval '1 hour', 'Europe/Stockholm', 2, ARRAY[resource_id], 'Ada Lovelace', 0, 0, 0, 0,
               'SEK', 'local', 'fill', starts + interval '15 minutes', now(), now()
          FROM made
    ), history AS (
        INSERT INTO booking_history (tenant_id, booking_id, version, to_status, actor, action, created_at)
        SELECT tenant_id, id, 1, 'RESERVED', 'system', 'create', now() FROM made
    ), events AS (
        INSERT INTO event (tenant_id, id, event_type, venue_id, subject_id, payload, actor, created_at)
        SELECT tenant_id, uuidv7(), 'booking.created', venue_id, id,
               jsonb_build_object('booking_id', id, 'status', 'RESERVED', 'version', 1), 'system', now() FROM made
     RETURNING tenant_id, id
    ), positions AS (
        INSERT INTO event_log (position, tenant_id, event_id)
        SELECT (SELECT coalesce(max(position), 0) FROM event_log) + row_number() OVER (), tenant_id, id FROM events
    )
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id)
    SELECT tenant_id, resource_id, 1, tstzrange(starts, starts + interval '75 minutes'), 'booking', id FROM made
"""
CHUNK = 50_000


async def fill(stand: Stand, count: int) -> None:
    """Inserts bookings with all their rows until there are `count`; prints its progress."""
    connection = await asyncpg.connect(stand.server.url(), server_settings={"synchronous_commit": "off"})
    try:
        have = await connection.fetchval("SELECT count(*) FROM booking WHERE source = 'fill'")
        resources = await connection.fetchval("SELECT count(*) FROM resource")
        for first in range(have, count, CHUNK):
            await connection.execute(FILL, first, resources, min(first + CHUNK, count))
            print(f"  {min(first + CHUNK, count):>9,} of {count:,} bookings in the tables", flush=True)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
