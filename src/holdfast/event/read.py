"""Reads events by position."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from holdfast.event.model import COLUMNS, FIELDS, Committed, Event
from holdfast.kernel.db.tx import Tx

READ_MAX = 1_000

_EVENT = f"""LATERAL (SELECT {COLUMNS}, event.epoch, event.version, event.written_at
                          FROM event
                         WHERE event.tenant_id = log.tenant_id AND event.id = log.event_id
                        OFFSET 0) AS event"""

# LATERAL with OFFSET 0: one index lookup per event. Joins planned any other way fall seconds behind.
READ = f"""
    SELECT log.position, event.*
      FROM (SELECT position, tenant_id, event_id FROM event_log
             WHERE position > $1 ORDER BY position LIMIT $2) AS log,
           {_EVENT}
     ORDER BY log.position
"""


async def read(tx: Tx, *, after: int, limit: int = READ_MAX) -> list[Committed]:
    """Returns up to `limit` (1..READ_MAX) events after the position, of the tenants tx may see, in commit order."""
    rows = await tx.fetch(READ, after, max(1, min(limit, READ_MAX)))
    return [committed_of(row) for row in rows]


READ_OF_TENANT = f"""
    SELECT log.position, event.*
      FROM (SELECT position, tenant_id, event_id FROM event_log
             WHERE tenant_id = $1 AND position > $2 ORDER BY position LIMIT $3) AS log,
           {_EVENT}
     ORDER BY log.position
"""


async def read_of_tenant(tx: Tx, tenant_id: UUID, *, after: int, limit: int) -> list[Committed]:
    """Returns up to `limit` events of the tenant after the position, in commit order."""
    return [committed_of(row) for row in await tx.fetch(READ_OF_TENANT, tenant_id, after, limit)]


def committed_of(row: Any) -> Committed:
    """Builds the event from a row with `position`, COLUMNS, and its epoch, version and `written_at`."""
    values = {name: row[name] for name in FIELDS}
    event = Event(**{**values, "payload": orjson.loads(row["payload"])})
    return Committed(row["position"], event, row["version"], row["epoch"], row["written_at"])


IS_WRITTEN = "SELECT EXISTS (SELECT FROM event WHERE tenant_id = $1 AND id = $2)"


async def is_written(tx: Tx, event: Event) -> bool:
    """Returns whether the event was committed, numbered or not."""
    return await tx.fetchval(IS_WRITTEN, event.tenant_id, event.id)


PURGED = "SELECT coalesce((SELECT position FROM event_purge), 0)"


async def purged(tx: Tx) -> int:
    """Returns the last purged position; 0 if none was purged."""
    return await tx.fetchval(PURGED)
