"""One more resource in a venue."""

from __future__ import annotations

from uuid import UUID

from holdfast.kernel.tx import Tx
from holdfast.place.change_resource import refuse_taken, with_adjacent, with_resources
from holdfast.place.document import ResourceDocument
from holdfast.place.kept import Kept
from holdfast.place.reach import own_venue
from holdfast.place.rewrite import rewrite


async def add_resource(tx: Tx, venue_id: UUID, resource: ResourceDocument) -> Kept:
    """The venue with one resource more. Run it with the venue's lock.

    Raises `NotFound`, and `InvalidRequest` when the slug is taken or a neighbour is none of this venue's.
    """
    kept = await own_venue(tx, venue_id)
    refuse_taken(kept, resource.slug)
    wanted = with_adjacent(kept, resource)
    return await rewrite(tx, kept, with_resources(kept, [*kept.document.resources, wanted]), ids=kept.ids)
