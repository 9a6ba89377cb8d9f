"""Partitions of `event` and `event_log`: one per month of ids (UUIDv7), created ahead, dropped when old."""

from __future__ import annotations

from holdfast.kernel.db.tx import Tx

MONTHS_AHEAD = 3
EVENTS_KEPT_DAYS = 30
"""Minimum: whole months are dropped, so an event is kept for up to 61 days."""

ADD = "SELECT add_event_months($1)"


async def add_months(tx: Tx, limit: int) -> int:
    """Creates the missing partitions for this month and the next MONTHS_AHEAD. Events that came before their partition
    existed move there from the default partition. Returns 0, since one run does everything."""
    await tx.execute(ADD, MONTHS_AHEAD)
    return 0


DROP = "SELECT drop_event_months($1, $2)"


async def drop_months(tx: Tx, limit: int) -> int:
    """Drops months that ended more than EVENTS_KEPT_DAYS ago, events and positions together, and deletes up to `limit`
    events of that age from the default partition. Returns the number of those.

    Gives up at once, to be retried, if a reader holds a lock: otherwise all other queries would queue behind it.
    """
    return await tx.fetchval(DROP, EVENTS_KEPT_DAYS, limit)
