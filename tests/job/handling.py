"""Handlers for tests: what most would do."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.engine import Engine
from holdfast.event.model import Event
from holdfast.job.reaction import TRANSACTION_S_MAX, Finish, Handle, Verb
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx, lock_key


def in_one_transaction(verb: Verb) -> Handle:
    """Runs the verb as the system, seeing the event's tenant alone, under the lock of the event's venue if there is
    one; it commits together with the job's end."""

    async def handle(engine: Engine, event: Event, finish: Finish) -> None:
        async def both(tx: Tx) -> None:
            tx.traceparent = event.traceparent
            await verb(tx, event)
            await finish(tx)

        locks = [] if event.venue_id is None else [lock_key(event.venue_id)]
        await engine.db.call(
            SYSTEM, tenants=[event.tenant_id], locks=locks, deadline_s=TRANSACTION_S_MAX
        ).run(both)

    return handle


async def all_of(_tx: Tx, events: Sequence[Event]) -> Sequence[Event]:
    """Each event asks for something."""
    return events
