"""What must be there before it can be asked for, and takes more than one request to be there."""

from __future__ import annotations

from typing import Any

import asyncpg

from holdfast.kernel.db.database import Database
from tests.booking.asking import at
from tests.conftest import House
from tests.waitlist.asking import joined, promoted

Json = dict[str, Any]

BURY = """
    INSERT INTO dead_letter (tenant_id, id, lane, reaction, venue_id, event, attempts, error, first_failed_at, dead_at)
    SELECT tenant_id, gen_random_uuid(), 'planning', 'promote_freed', venue_id,
           to_jsonb(event) - 'epoch' - 'version' - 'written_at', 5, 'RuntimeError in promote', now(), now()
      FROM event WHERE venue_id = $1 AND event_type = 'booking.created' LIMIT 1
    RETURNING id::text
"""


async def offered(db: Database, house: House, number: int = 1, *, days: int = 0, **wanted: Any) -> list[Json]:
    """Entries of the waitlist of which each was just offered a place."""
    window = {"earliest": at("18:00", days), "latest": at("18:00", days)}
    made = [await joined(house, **window, **wanted) for _ in range(number)]
    assert await promoted(db, house) == number
    return made


async def buried(owner: asyncpg.Connection, house: House) -> str:
    """The id of a dead letter about a booking of the house; `owner` sees all tenants."""
    return await owner.fetchval(BURY, house.venue_id)
