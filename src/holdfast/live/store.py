"""What live channels read of the database."""

from __future__ import annotations

from holdfast.event.read import purged
from holdfast.kernel.tx import Tx
from holdfast.live.frames import Key


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


async def as_of(tx: Tx, key: Key, position: int) -> tuple[int, int] | None:
    """Epoch and version that the channel had at that position; None when it is not open."""
    row = await tx.fetchrow(AS_OF, *key, position)
    return None if row is None else (row["epoch"], row["version"])
