"""What happens after what, on one page."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.block.refit import refit
from holdfast.claim.narrow import narrow
from holdfast.engine import Engine
from holdfast.event.model import Event
from holdfast.job.reaction import Immediate, React, Reaction
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.place.store import load_venues
from holdfast.port.ports import Ports
from holdfast.waitlist import react


async def narrow_units(tx: Tx, event: Event) -> None:
    """What is on units that this change of the venue takes away moves to others."""
    if changed := event.payload["resource_ids"]:
        for venue in (await load_venues(tx, [event.subject_id])).values():
            await narrow(tx, venue, resource_ids=changed)


async def refit_blocks(tx: Tx, event: Event) -> None:
    """Blocks take all units of their resources, those too that this change of the venue adds."""
    if grown := event.payload["grown_resource_ids"]:
        # Not by `places`, which would keep for others what is not committed yet.
        for venue in (await load_venues(tx, [event.subject_id])).values():
            await refit(tx, venue, grown=grown)


PLANNING = "planning"

IMMEDIATE = (Immediate(("venue.updated",), narrow_units), Immediate(("venue.updated",), refit_blocks))
REACTIONS = (Reaction("promote_freed", react.FREEING, PLANNING, react.promote_freed, react.awaited),)


def engine_over(db: Database, *, reactions: Sequence[Reaction] = REACTIONS) -> Engine:
    """The engine as Holdfast has it. `reactions`: those that become jobs; none where no worker is to see them."""
    return Engine(db, ports=Ports(), react=React(IMMEDIATE, reactions))
