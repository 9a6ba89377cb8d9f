"""A resource taken off its venue."""

from __future__ import annotations

from uuid import UUID

from holdfast.kernel.tx import Tx
from holdfast.place.change_resource import own_resource, with_resources
from holdfast.place.kept import Kept
from holdfast.place.reach import own_venue
from holdfast.place.rewrite import rewrite


async def remove_resource(tx: Tx, venue_id: UUID, resource_id: UUID, *, expected_version: int) -> Kept:
    """The venue without the resource, whose row stays for history. Run it with the venue's lock.

    Raises `NotFound`, `VersionConflict`, and `InvalidRequest` while somebody holds it now or later.
    """
    kept = await own_venue(tx, venue_id)
    gone = own_resource(kept, resource_id, expected_version=expected_version)
    left = [
        each.model_copy(
            update={"adjacent": tuple(other for other in each.adjacent if other.slug != gone.slug)}
        )
        for each in kept.document.resources
        if each is not gone
    ]
    ids = {each.slug: kept.ids[each.slug] for each in left}
    return await rewrite(tx, kept, with_resources(kept, left), ids=ids)
