"""Writes events, in the transaction of the change they report."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.event.model import Event
from holdfast.kernel.db.tx import Tx


def emit_from(parameter: str) -> str:
    """Returns the CTEs that insert events, passed as one JSON array in the named parameter. Use it with `Tx.emitting`.

    An event's version comes from its channel's row, which stays locked until the transaction ends: versions have no
    gaps, and nobody sees an uncommitted one. Its number in `event_new` is drawn after that, so that on each channel
    these numbers follow commit order; and after the transaction's first write, so that every transaction that has drawn
    a number has a transaction id (`event.number` relies on that).
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
    ), versioned AS (
        SELECT g.*, c.epoch,
               c.version - max(g.nth) OVER (PARTITION BY g.tenant_id, g.venue_id, g.channel) + g.nth AS version
          FROM given_events AS g
          LEFT JOIN counted AS c ON (c.tenant_id, c.venue_id, c.name) = (g.tenant_id, g.venue_id, g.channel)
    ), emitted AS (
        INSERT INTO event (tenant_id, id, event_type, venue_id, subject_id, payload, actor, traceparent,
                           created_at, channel, epoch, version)
        SELECT tenant_id, id, event_type, venue_id, subject_id, payload, actor, traceparent,
               created_at, channel, epoch, version
          FROM versioned ORDER BY place
        RETURNING tenant_id, id
    ), queued AS (
        INSERT INTO event_new (tenant_id, event_id) SELECT tenant_id, id FROM emitted
    )"""


EMIT = f"WITH {emit_from('$1')} SELECT"


async def emit(tx: Tx, events: Sequence[Event]) -> None:
    """Writes the events in that order, in the transaction: they exist if and only if it commits."""
    if events:
        await tx.execute(EMIT, tx.emitting(events))
