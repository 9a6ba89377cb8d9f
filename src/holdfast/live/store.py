"""The queries of the live channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.channel.names import ChannelKey
from holdfast.event.model import COLUMNS, Committed
from holdfast.event.read import committed_of, purged
from holdfast.kernel.db.tx import Tx

if TYPE_CHECKING:
    from holdfast.snapshot.take import SlotKey

EVENTS_MAX = 10_000


async def position_before(tx: Tx, head: int, count: int) -> int:
    """Returns the position before the last `count` events up to `head`, or the purge position if that is later."""
    return max(await purged(tx), head - count)


# Later events include those that have no position yet, because the channel row's version includes them too.
AS_OF = """
    SELECT c.epoch, coalesce(
               (SELECT min(e.version)
                  FROM (SELECT event_id FROM event_log WHERE tenant_id = $1 AND position > $4
                         UNION ALL SELECT event_id FROM event_new WHERE tenant_id = $1) AS behind,
                       LATERAL (SELECT version FROM event
                                 WHERE event.tenant_id = $1 AND event.id = behind.event_id
                                   AND event.venue_id = c.venue_id AND event.channel = c.name
                                   AND event.epoch = c.epoch OFFSET 0) AS e) - 1,
               c.version) AS version
      FROM channel AS c
     WHERE c.tenant_id = $1 AND c.venue_id = $2 AND c.name = $3
"""


async def as_of(tx: Tx, key: ChannelKey, position: int) -> tuple[int, int] | None:
    """Returns the channel's epoch and version as of the position; None when it is not open."""
    row = await tx.fetchrow(AS_OF, *key, position)
    return None if row is None else (row["epoch"], row["version"])


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


async def events(tx: Tx, wanted: SlotKey, *, after: int) -> list[Committed]:
    """Returns the channel's events after the position, in commit order, at most EVENTS_MAX."""
    rows = await tx.fetch(EVENTS, wanted.tenant_id, wanted.venue_id, wanted.channel, after, EVENTS_MAX)
    return [committed_of(row) for row in rows]
