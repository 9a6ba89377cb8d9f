"""One document creates or replaces a venue with all in it."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from holdfast.kernel.errors import Forbidden
from holdfast.kernel.ids import new_id
from holdfast.kernel.tx import Tx, lock_key, take_lock
from holdfast.place import store, write_store
from holdfast.place.document import VenueDocument
from holdfast.place.kept import Kept, edges_by_id
from holdfast.place.reach import own_tenant, own_venue
from holdfast.place.rewrite import rewrite
from holdfast.place.storable import refuse_unstorable
from holdfast.place.tenant import Tenant


class Imported(NamedTuple):
    """The venue as it is now, and whether it is new."""

    kept: Kept
    is_new: bool


async def import_venue(tx: Tx, document: VenueDocument, *, tenant: str | None = None) -> Imported:
    """The venue of the document in the tenant of that slug (None: the actor's own).

    1. There is none of its slug: it is created.
    2. There is one: it becomes what the document says. Resources are matched by slug and keep their
       ids; those not named are removed. A document that says what is so already changes nothing.

    Raises `InvalidRequest` when a resource (or a unit of it) would go that somebody holds now or later;
    `Forbidden` when the actor is limited to certain venues and this one is new; `NotFound`.
    """
    owner = await own_tenant(tx, tenant)
    venue_id = await store.find_venue(tx, tenant_id=owner.id, slug=document.slug)
    if venue_id is None:
        kept = await _create(tx, document, owner)
        if kept is not None:
            return Imported(kept, is_new=True)
        # Somebody else was quicker, and has committed: the INSERT waited for that.
        venue_id = await store.find_venue(tx, tenant_id=owner.id, slug=document.slug)
        assert venue_id is not None
    return Imported(await _replace(tx, document, venue_id), is_new=False)


async def _create(tx: Tx, document: VenueDocument, owner: Tenant) -> Kept | None:
    if tx.actor.venue_ids is not None:
        raise Forbidden("You may change the venues you are limited to, but not add one.")
    refuse_unstorable(document.model_dump(mode="json"))
    venue_id = new_id()
    if not await write_store.insert_venue(tx, document, tenant_id=owner.id, id=venue_id):
        return None
    resources = {new_id(): each for each in document.resources}
    edges = edges_by_id(document, {each.slug: id_ for id_, each in resources.items()})
    await write_store.put_resources(tx, resources, tenant_id=owner.id, venue_id=venue_id)
    await write_store.replace_joins(tx, edges, tenant_id=owner.id, venue_id=venue_id)
    payload = {"venue_id": venue_id, "rules_version": 1}
    await write_store.emit_about(tx, "venue.created", payload, tenant_id=owner.id, venue_id=venue_id)
    return await store.read_venue(tx, venue_id)


async def _replace(tx: Tx, document: VenueDocument, venue_id: UUID) -> Kept:
    # The id is known only here; what is read from now on was committed before the lock was had.
    await take_lock(tx, lock_key(venue_id))
    kept = await own_venue(tx, venue_id)
    return await rewrite(tx, kept, document, ids=kept.ids)
