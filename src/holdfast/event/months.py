"""Partitions of `event` and `event_log`: a month of ids (UUIDv7) each, made ahead, dropped when they are old."""

from __future__ import annotations

from holdfast.kernel.db.tx import Tx

MONTHS_AHEAD = 3
EVENTS_KEPT_DAYS = 30
"""At least: a month goes as a whole, so an event is kept for up to 61 days."""

ADD = "SELECT add_event_months($1)"


async def add_months(tx: Tx, limit: int) -> int:
    """Makes the partitions of this month and the next MONTHS_AHEAD that are missing; returns 0, since one run does it
    all. What came before its partition existed moves there from the default one."""
    await tx.execute(ADD, MONTHS_AHEAD)
    return 0


DROP = "SELECT drop_event_months($1, $2)"


async def drop_months(tx: Tx, limit: int) -> int:
    """Drops the months that ended more than EVENTS_KEPT_DAYS ago, events and positions together, and up to `limit`
    events as old from the default partition; returns how many of these.

    Gives up at once, to be tried again, where a reader is in the way: everybody else would queue up behind it.
    """
    return await tx.fetchval(DROP, EVENTS_KEPT_DAYS, limit)
