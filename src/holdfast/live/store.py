"""What live channels read of the database. They write nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from holdfast.kernel.events import Position
from holdfast.kernel.tx import Tx
from holdfast.live.frames import Key

# Of what is written now. pg_control_checkpoint() has that of the last checkpoint: for minutes after a fail-over,
# the one that was left. A standby writes nothing.
TIMELINE = """(SELECT CASE WHEN pg_is_in_recovery() THEN '0'
                        ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END)"""

# Another cluster, or this one after a restore or a fail-over: the same transaction ids may mean other things.
HISTORY = f"""
    SELECT system_identifier, {TIMELINE} AS timeline, clock_timestamp() AS now
      FROM pg_control_system()
"""


@dataclass(frozen=True, slots=True)
class History:
    """Which history of a database this is. `name`: 8 hex digits. `now`: its clock."""

    name: str
    now: datetime


async def history(tx: Tx) -> History:
    """The history that the database is in."""
    row = await tx.fetchrow(HISTORY)
    assert row is not None
    return History(history_name(row["system_identifier"], row["timeline"]), row["now"])


def history_name(system_identifier: int, timeline: str) -> str:
    """What the history of a cluster on a timeline is called: 8 hex digits."""
    return hashlib.sha256(f"{system_identifier}/{timeline}".encode()).hexdigest()[:8]


# Up to its cursor `purged`, old events may have been removed.
LAST = """
    (SELECT xid::text::bigint AS xid, seq
       FROM event
      WHERE xid < pg_snapshot_xmin(pg_current_snapshot())
      ORDER BY event.xid DESC, event.seq DESC
     OFFSET $1 LIMIT 1)
    UNION ALL
    SELECT xid::text::bigint, seq FROM event_cursor WHERE name = 'purged'
"""


async def position_before(tx: Tx, count: int) -> Position:
    """The place behind which the last `count` readable events are. When fewer are kept, the one up to which they
    were purged; the very beginning when none were."""
    rows = await tx.fetch(LAST, count)
    return max((Position(row["xid"], row["seq"]) for row in rows), default=Position())


# Events behind the place are counted whether they can be read in order yet or not: what the row of the channel
# says counts them too.
AS_OF = """
    SELECT c.epoch, coalesce(
               (SELECT min(e.version) FROM event AS e
                 WHERE (e.xid, e.seq) > ($4::text::xid8, $5::bigint) AND e.tenant_id = c.tenant_id
                   AND e.venue_id = c.venue_id AND e.channel = c.name AND e.epoch = c.epoch) - 1,
               c.version) AS version
      FROM channel AS c
     WHERE c.tenant_id = $1 AND c.venue_id = $2 AND c.name = $3
"""


async def as_of(tx: Tx, key: Key, position: Position) -> tuple[int, int] | None:
    """Epoch and version that the channel had at that place in the commit order; None when it is not open."""
    row = await tx.fetchrow(AS_OF, *key, str(position.xid), position.seq)
    return None if row is None else (row["epoch"], row["version"])
