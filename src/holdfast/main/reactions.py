"""What happens after what, on one page."""

from __future__ import annotations

from uuid import UUID

from holdfast.block.refit import refit
from holdfast.dispatch.reaction import Reaction, Tools
from holdfast.kernel.events import Event
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


REACTIONS = (
    Reaction("promote_freed", react.FREEING, promote_freed),
    Reaction("refit_blocks", ("venue.updated",), refit_blocks),
)
