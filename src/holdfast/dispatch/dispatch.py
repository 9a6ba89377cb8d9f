"""From events to jobs."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.dispatch import cursors
from holdfast.dispatch.queue import enqueue
from holdfast.dispatch.reaction import Delivery, Reaction
from holdfast.kernel.events import Event, read_committed
from holdfast.kernel.tx import Tx

DISPATCHER_LOCK = 0x64697370_61746368
"""Whoever holds it dispatches. To be tried (`try_locks`), so that nobody waits for it."""
BATCH_MAX = 500


async def dispatch(tx: Tx, reactions: Sequence[Reaction], limit: int = BATCH_MAX) -> int:
    """Makes jobs of up to `limit` events that were committed; how many events that were.

    1. Whoever does not get the dispatcher's lock leaves it to who has it.
    2. Read on from the cursor, in commit order.
    3. Enqueue a job for each event and each reaction to it, and move the cursor: in one transaction, so
       each becomes a job once.

    While there is nothing to do nothing is written.
    """
    if not tx.locked:
        return 0
    before = await cursors.read(tx, cursors.REACTIONS)
    found = await read_committed(tx, after=before, limit=limit)
    if not found:
        return 0
    await enqueue(tx, [each for one in found for each in deliveries(one.event, reactions)])
    if not await cursors.move(tx, cursors.REACTIONS, before=before, to=found[-1].position):
        raise RuntimeError("The dispatcher's cursor was moved by somebody without its lock.")
    return len(found)


def deliveries(event: Event, reactions: Sequence[Reaction]) -> list[Delivery]:
    """What is to be delivered of an event."""
    return [
        Delivery(event.tenant_id, event.id, event.venue_id, reaction.name)
        for reaction in reactions
        if event.event_type in reaction.event_types
    ]


AGE = """
    SELECT greatest(extract(epoch FROM $1 - least(
        (SELECT created FROM pgqueuer.pgqueuer ORDER BY id LIMIT 1),
        (SELECT written_at FROM event
          WHERE (xid, seq) > (SELECT xid, seq FROM event_cursor WHERE name = $2) ORDER BY xid, seq LIMIT 1)
    )), 0)::float8
"""


async def lag_s(tx: Tx) -> float:
    """How long the oldest event that is not delivered has been waiting, in seconds; 0 when there is none.

    A job counts from when it was made, which is milliseconds after its event."""
    return await tx.fetchval(AGE, tx.now, cursors.REACTIONS) or 0.0
