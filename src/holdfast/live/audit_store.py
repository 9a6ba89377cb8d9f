"""What the auditor reads of events."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.kernel.events import Committed, committed_of
from holdfast.kernel.tx import Tx
from holdfast.live.snapshot import Wanted

EVENTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Reach:
    """A moment among transactions: those below `settled` are over, those from `unborn` on had not begun."""

    settled: int
    unborn: int


REACH = """
    SELECT pg_snapshot_xmin(s)::text::bigint AS settled, pg_snapshot_xmax(s)::text::bigint AS unborn
      FROM pg_current_snapshot() AS s
"""


async def reach(tx: Tx) -> Reach:
    """The present moment."""
    row = await tx.fetchrow(REACH)
    assert row is not None
    return Reach(row["settled"], row["unborn"])


# By the index in commit order, over no more than what was written since the first snapshot.
EVENTS = """
    SELECT xid::text::bigint AS xid, seq, tenant_id, id, event_type, venue_id, subject_id,
           payload, actor, traceparent, created_at, channel, epoch, version, written_at
      FROM event
     WHERE xid >= $1::text::xid8 AND xid < $2::text::xid8
       AND tenant_id = $3 AND venue_id = $4 AND channel = $5
     ORDER BY event.xid, event.seq
     LIMIT $6
"""


async def events(tx: Tx, wanted: Wanted, *, since: int, until: int) -> list[Committed]:
    """The events of the channel by transactions from `since` on and before `until`, in commit order; the
    first EVENTS_MAX."""
    rows = await tx.fetch(
        EVENTS, str(since), str(until), wanted.tenant_id, wanted.venue_id, wanted.channel, EVENTS_MAX
    )
    return [committed_of(row) for row in rows]
