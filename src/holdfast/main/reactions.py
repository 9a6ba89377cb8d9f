"""What happens after what, on one page."""

from __future__ import annotations

from holdfast.block.refit import refit
from holdfast.event.model import Event
from holdfast.job.enqueue import React
from holdfast.job.reaction import Finish, Immediate, Reaction, Tools
from holdfast.kernel.db import Database
from holdfast.kernel.tx import Tx
from holdfast.place.store import load_venues
from holdfast.waitlist import react


async def promote_freed(db: Database, event: Event, tools: Tools, finish: Finish) -> None:
    """Offers what came free to those who wait for it."""
    await react.promote_freed(db, event, places=tools.places, pricing=tools.pricing, finish=finish)


async def refit_blocks(tx: Tx, event: Event, tools: Tools) -> None:
    """Blocks take all units of their resources, those too that this change of the venue adds."""
    if grown := event.payload["grown_resource_ids"]:
        # Not by `places`, which would keep for others what is not committed yet.
        for venue in (await load_venues(tx, [event.subject_id])).values():
            await refit(tx, venue, grown=grown)


PLANNING = "planning"

IMMEDIATE = (Immediate(("venue.updated",), refit_blocks),)
REACTIONS = (Reaction("promote_freed", react.FREEING, PLANNING, promote_freed, react.awaited),)


def reacting(db: Database, tools: Tools) -> Database:
    """The database, whose transactions have these reactions to what they emit from now on."""
    db.before_commit = React(IMMEDIATE, REACTIONS, tools)
    return db
