"""What happens after what, on one page."""

from __future__ import annotations

from uuid import UUID

from holdfast.block.refit import refit
from holdfast.event.model import Event
from holdfast.job.enqueue import React
from holdfast.job.reaction import Immediate, Reaction, Tools, all_of, in_one_transaction
from holdfast.kernel.db import Database
from holdfast.kernel.tx import Tx
from holdfast.waitlist import react


async def promote_freed(tx: Tx, event: Event, tools: Tools) -> None:
    """Offers what came free to those who wait for it."""
    await react.promote_freed(tx, event, places=tools.places, pricing=tools.pricing)


async def refit_blocks(tx: Tx, event: Event, tools: Tools) -> None:
    """Blocks take all units of their resources, those too that a change of the venue has added."""
    changed = frozenset(map(UUID, event.payload["resource_ids"]))
    if not changed:
        return
    for venue in (await tools.places.reload(tx, [event.subject_id])).values():
        await refit(tx, venue, of=changed)


PLANNING = "planning"

IMMEDIATE: tuple[Immediate, ...] = ()
REACTIONS = (
    Reaction("promote_freed", react.FREEING, PLANNING, in_one_transaction(promote_freed), react.awaited),
    Reaction("refit_blocks", ("venue.updated",), PLANNING, in_one_transaction(refit_blocks), all_of),
)


def reacting(db: Database, tools: Tools) -> Database:
    """The database, whose transactions have these reactions to what they emit from now on."""
    db.before_commit = React(IMMEDIATE, REACTIONS, tools)
    return db
