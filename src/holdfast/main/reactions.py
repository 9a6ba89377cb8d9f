"""Which reactions follow which events, on one page."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.block.refit import refit
from holdfast.booking.rehouse import rehouse
from holdfast.claim.narrow import narrow
from holdfast.engine import Engine
from holdfast.event.model import Event
from holdfast.job.reaction import Immediate, React, Reaction
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.place.store import load_venues
from holdfast.port.ports import Ports
from holdfast.waitlist.react import FREEING, awaited, promote_freed


async def narrow_units(tx: Tx, event: Event) -> None:
    """Moves claims off the units that this change of the venue removes."""
    if changed := event.payload["resource_ids"]:
        for venue in (await load_venues(tx, [event.subject_id])).values():
            await narrow(tx, venue, resource_ids=changed)


async def rehouse_promises(tx: Tx, event: Event) -> None:
    """Moves promises of a type off the resources that this change of the venue takes out of use."""
    if changed := event.payload["resource_ids"]:
        for venue in (await load_venues(tx, [event.subject_id])).values():
            await rehouse(tx, venue, resource_ids=changed)


async def refit_blocks(tx: Tx, event: Event) -> None:
    """Extends blocks to units that this change of the venue adds: a block takes all units of its resources."""
    if grown := event.payload["grown_resource_ids"]:
        # Not through `places`, which would cache uncommitted data for others.
        for venue in (await load_venues(tx, [event.subject_id])).values():
            await refit(tx, venue, grown=grown)


PLANNING = "planning"

IMMEDIATE = (
    Immediate(("venue.updated",), narrow_units),
    Immediate(("venue.updated",), rehouse_promises),
    Immediate(("venue.updated",), refit_blocks),
)
REACTIONS = (Reaction("promote_freed", FREEING, PLANNING, promote_freed, awaited),)


def engine_over(db: Database, *, reactions: Sequence[Reaction] = REACTIONS) -> Engine:
    """Returns Holdfast's engine. `reactions`: those that become jobs; none where no worker runs them."""
    react = React(IMMEDIATE, reactions)
    return Engine(db, ports=Ports(), react=react, reacts_to=react.event_types)
