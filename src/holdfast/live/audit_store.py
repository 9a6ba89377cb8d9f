"""What the auditor reads of events."""

from __future__ import annotations

from holdfast.event.model import COLUMNS, Committed
from holdfast.event.read import committed_of
from holdfast.kernel.tx import Tx
from holdfast.live.snapshot import Wanted

EVENTS_MAX = 10_000

EVENTS = f"""
    SELECT log.position, event.*
      FROM (SELECT position, event_id FROM event_log WHERE tenant_id = $1 AND position > $4) AS log,
           LATERAL (SELECT {COLUMNS}, event.epoch, event.version, event.written_at
                      FROM event
                     WHERE event.tenant_id = $1 AND event.id = log.event_id AND event.venue_id = $2
                       AND event.channel = $3
                    OFFSET 0) AS event
     ORDER BY log.position
     LIMIT $5
"""


async def events(tx: Tx, wanted: Wanted, *, after: int) -> list[Committed]:
    """The events of the channel behind the position, in commit order; the first EVENTS_MAX."""
    rows = await tx.fetch(EVENTS, wanted.tenant_id, wanted.venue_id, wanted.channel, after, EVENTS_MAX)
    return [committed_of(row) for row in rows]
