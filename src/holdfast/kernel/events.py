"""The event table: written in the transaction of each change, read in commit order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from holdfast.kernel.encode import encode_text
from holdfast.kernel.tx import Tx

SOURCE = "booking-reservation-service"
VERSION = "1.0"
READ_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `payload` holds ids and facts and no personal data."""

    id: UUID
    tenant_id: UUID
    event_type: str
    venue_id: UUID | None
    subject_id: UUID
    payload: dict[str, Any]
    actor: str
    created_at: datetime
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the commit order: transaction id, then sequence number within it."""

    xid: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Committed:
    """An event as read back, with its place in the commit order."""

    position: Position
    event: Event


def emit_from(parameter: str) -> str:
    """The INSERT that writes events given as one JSON array in the named parameter."""
    return f"""
    INSERT INTO event (tenant_id, id, event_type, venue_id, subject_id, payload, actor, traceparent, created_at)
    SELECT tenant_id, id, event_type, venue_id, subject_id, payload, actor, traceparent, created_at
      FROM json_to_recordset({parameter}::text::json) AS e (
           tenant_id uuid, id uuid, event_type text, venue_id uuid, subject_id uuid,
           payload jsonb, actor text, traceparent text, created_at timestamptz)"""


EMIT = emit_from("$1")


async def emit(tx: Tx, events: list[Event]) -> None:
    """Writes the events into the transaction; they exist if and only if it commits."""
    if events:
        await tx.execute(EMIT, encode_text(events))


# By the columns, not by what is selected under the same name: only their order is the index's.
READ = """
    SELECT xid::text::bigint AS xid, seq, tenant_id, id, event_type, venue_id, subject_id,
           payload, actor, traceparent, created_at
      FROM event
     WHERE xid < pg_snapshot_xmin(pg_current_snapshot())
       AND (xid, seq) > ($1::text::xid8, $2::bigint)
     ORDER BY event.xid, event.seq
     LIMIT $3
"""


async def read_committed(tx: Tx, *, after: Position, limit: int = READ_MAX) -> list[Committed]:
    """Up to `limit` (1..READ_MAX) events behind `after`, in commit order, of the tenants tx may see.

    Only transactions older than every one still open are read: ids are not handed out in commit
    order, so an event with a lower one may yet appear. Hence no event is skipped, and one
    long transaction delays the feed for as long as the server's timeouts let it live.
    """
    rows = await tx.fetch(READ, str(after.xid), after.seq, max(1, min(limit, READ_MAX)))
    return [_committed(row) for row in rows]


def _committed(row: Any) -> Committed:
    event = Event(
        id=row["id"],
        tenant_id=row["tenant_id"],
        event_type=row["event_type"],
        venue_id=row["venue_id"],
        subject_id=row["subject_id"],
        payload=orjson.loads(row["payload"]),
        actor=row["actor"],
        created_at=row["created_at"],
        traceparent=row["traceparent"],
    )
    return Committed(Position(row["xid"], row["seq"]), event)
