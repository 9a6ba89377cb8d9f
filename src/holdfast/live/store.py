"""What live channels read from the database."""

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
    """The position behind which the last `count` events up to `head` are; when fewer are kept, the one up to which they
    were purged."""
    return max(await purged(tx), head - count)


# Events behind the position count whether they have one yet or not: what the row of the channel says counts them too.
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
    """Epoch and version that the channel had at that position; None when it is not open."""
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
    """The events of the channel behind the position, in commit order; the first EVENTS_MAX."""
    rows = await tx.fetch(EVENTS, wanted.tenant_id, wanted.venue_id, wanted.channel, after, EVENTS_MAX)
    return [committed_of(row) for row in rows]
