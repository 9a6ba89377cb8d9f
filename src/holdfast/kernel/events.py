"""The event table: written in the transaction of each change, read in commit order."""

from __future__ import annotations

from collections.abc import Sequence
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
    """Something that happened. `payload` holds ids and facts and no personal data.

    `channel`: the channel of its venue that it is told on, if any; who emits such an event has held the
    venue's lock since before the first write of the transaction, so that the order of versions is the
    commit order too.
    """

    id: UUID
    tenant_id: UUID
    event_type: str
    venue_id: UUID | None
    subject_id: UUID
    payload: dict[str, Any]
    actor: str
    created_at: datetime
    traceparent: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the commit order: transaction id, then sequence number within it."""

    xid: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Committed:
    """An event as read back, with its place in the commit order.

    `version`: its number on its channel, 1 more than the one before; counted within `epoch`. Both None for
    an event on no channel. `written_at`: when its row was written, by the database's clock, whatever
    clock the change itself went by.
    """

    position: Position
    event: Event
    version: int | None
    epoch: int | None
    written_at: datetime


def emit_from(parameter: str) -> str:
    """The CTEs that write events given as one JSON array in the named parameter; the last is `emitted`,
    with a row (venue_id, channel, version) for each that is on a channel.

    The version of an event is drawn from its channel's row, which stays locked until the transaction
    ends: versions are dense, and nobody sees a number that was not committed.
    """
    return f"""
    given_events AS MATERIALIZED (
        SELECT e.*, row_number() OVER (PARTITION BY tenant_id, venue_id, channel ORDER BY place) AS nth
          FROM ROWS FROM (json_to_recordset({parameter}::text::json) AS (
               tenant_id uuid, id uuid, event_type text, venue_id uuid, subject_id uuid, payload jsonb,
               actor text, traceparent text, created_at timestamptz, channel text)) WITH ORDINALITY
               AS e (tenant_id, id, event_type, venue_id, subject_id, payload, actor, traceparent,
                     created_at, channel, place)
    ), counted AS (
        INSERT INTO channel (tenant_id, venue_id, name, version)
        SELECT tenant_id, venue_id, channel, max(nth) FROM given_events
         WHERE channel IS NOT NULL GROUP BY tenant_id, venue_id, channel ORDER BY tenant_id, venue_id, channel
        ON CONFLICT (tenant_id, venue_id, name) DO UPDATE SET version = channel.version + excluded.version
        RETURNING tenant_id, venue_id, name, epoch, version
    ), numbered AS (
        SELECT g.*, c.epoch,
               c.version - max(g.nth) OVER (PARTITION BY g.tenant_id, g.venue_id, g.channel) + g.nth AS version
          FROM given_events AS g
          LEFT JOIN counted AS c ON (c.tenant_id, c.venue_id, c.name) = (g.tenant_id, g.venue_id, g.channel)
    ), emitted AS (
        INSERT INTO event (tenant_id, id, event_type, venue_id, subject_id, payload, actor, traceparent,
                           created_at, channel, epoch, version)
        SELECT tenant_id, id, event_type, venue_id, subject_id, payload, actor, traceparent,
               created_at, channel, epoch, version
          FROM numbered ORDER BY place
        RETURNING venue_id, channel, version
    )"""


EMIT = f"WITH {emit_from('$1')} SELECT"


async def emit(tx: Tx, events: Sequence[Event]) -> None:
    """Writes the events into the transaction, in that order; they exist if and only if it commits."""
    if events:
        await tx.execute(EMIT, encode_text(events))
        tx.venue_ids.update(each.venue_id for each in events if each.venue_id is not None)


# By the columns, not by what is selected under the same name: only their order is the index's.
READ = """
    SELECT xid::text::bigint AS xid, seq, tenant_id, id, event_type, venue_id, subject_id,
           payload, actor, traceparent, created_at, channel, epoch, version, written_at
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
    return [committed_of(row) for row in rows]


def committed_of(row: Any) -> Committed:
    """The event of a row with the columns of READ."""
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
        channel=row["channel"],
    )
    return Committed(
        position=Position(row["xid"], row["seq"]),
        event=event,
        version=row["version"],
        epoch=row["epoch"],
        written_at=row["written_at"],
    )
