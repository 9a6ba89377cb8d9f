"""Creates a venue with everything in it from a document, or updates an existing one and writes only what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from holdfast.kernel.db.tx import Tx, lock_key, take_lock
from holdfast.kernel.errors import Forbidden, InvalidRequest
from holdfast.kernel.ids import new_id
from holdfast.place import store, write_store
from holdfast.place.document import ResourceDocument, VenueDocument
from holdfast.place.kept import Edge, Kept, Tenant, edges_by_id
from holdfast.place.parts import leaves_of
from holdfast.place.reach import own_tenant, own_venue
from holdfast.place.storable import refuse_unstorable

OWN_FIELDS = ("slug", "name", "kind", "timezone", "currency", "policy", "hours", "slots")


class Imported(NamedTuple):
    """The venue after the import, and whether it is new."""

    kept: Kept
    is_new: bool


async def import_venue(tx: Tx, document: VenueDocument, *, tenant: str | None = None) -> Imported:
    """Imports the document into the tenant with that slug (None: the actor's own).

    1. If the tenant has no venue with the document's slug, it is created.
    2. Otherwise the venue is changed to match the document. Resources are matched by slug and keep their ids;
       resources that are not in the document are removed. An identical document changes nothing.

    Raises `InvalidRequest` if that would remove a resource, or units of one, that are in use now or later;
    `Forbidden` if the venue is new and the actor is limited to certain venues; `NotFound`.
    """
    owner = await own_tenant(tx, tenant)
    venue_id = await store.find_venue(tx, tenant_id=owner.id, slug=document.slug)
    if venue_id is None:
        kept = await _create(tx, document, owner)
        if kept is not None:
            return Imported(kept, is_new=True)
        # Another transaction has just created it. The INSERT waited for its commit, so the venue can be read now.
        venue_id = await store.find_venue(tx, tenant_id=owner.id, slug=document.slug)
        assert venue_id is not None
    return Imported(await _replace(tx, document, venue_id), is_new=False)


async def _create(tx: Tx, document: VenueDocument, owner: Tenant) -> Kept | None:
    if tx.actor.venue_ids is not None:
        raise Forbidden("You can change the venues you are limited to, but you can't add one.")
    refuse_unstorable(document.model_dump(mode="json"))
    venue_id = new_id()
    if not await write_store.insert_venue(tx, document, tenant_id=owner.id, id=venue_id):
        return None
    resources = {new_id(): each for each in document.resources}
    ids = {each.slug: id_ for id_, each in resources.items()}
    await write_store.put_resources(tx, resources, ids=ids, tenant_id=owner.id, venue_id=venue_id)
    edges = edges_by_id(document, ids)
    await write_store.replace_joins(tx, edges, tenant_id=owner.id, venue_id=venue_id)
    payload = {"venue_id": venue_id, "rules_version": 1}
    await write_store.emit_about(tx, "venue.created", payload, tenant_id=owner.id, venue_id=venue_id)
    return await store.read_venue(tx, venue_id)


async def _replace(tx: Tx, document: VenueDocument, venue_id: UUID) -> Kept:
    # The lock is taken only here, because the id was not known earlier. Statements after it see everything that was
    # committed under the lock before.
    await take_lock(tx, lock_key(venue_id))
    kept = await own_venue(tx, venue_id)
    return await rewrite(tx, kept, document, ids=kept.ids)


@dataclass(frozen=True, slots=True)
class Difference:
    """The changes to write. `put`: new and changed resources; `edges`: all joins, or None if they don't change.

    `rebuilt`: resources whose claims would mean something else, with the field that changes. `wholes`: existing wholes
    that change or are removed, each with the leaves that its bookings claim.
    """

    own: tuple[str, ...]
    put: Mapping[UUID, ResourceDocument]
    removed: Mapping[UUID, ResourceDocument]
    shrunk: Mapping[UUID, ResourceDocument]
    grown: tuple[UUID, ...]
    rebuilt: Mapping[UUID, str]
    wholes: Mapping[UUID, tuple[UUID, ...]]
    edges: Mapping[Edge, int] | None

    def __bool__(self) -> bool:
        return bool(self.own or self.put or self.removed or self.edges is not None)


async def rewrite(tx: Tx, kept: Kept, document: VenueDocument, *, ids: Mapping[str, UUID]) -> Kept:
    """Changes the venue to match the document and returns it; without a difference, it returns `kept`.

    `ids`: the existing resources in the document, by the slug that the document gives them. Existing resources that
    are not in `ids` are removed. The caller holds the venue's lock. Raises `InvalidRequest` if a removed resource is
    in use now or later, or if a resource would have fewer units than are in use at the same time.
    """
    refuse_unstorable(document.model_dump(mode="json"))
    known = {each.slug: ids.get(each.slug) or new_id() for each in document.resources}
    difference = differ(kept, document, ids=known)
    if not difference:
        return kept
    await _refuse_in_use(tx, kept, difference)
    await _write(tx, kept, document, difference, ids=known)
    after = await store.read_venue(tx, kept.id)
    assert after is not None
    return after


def differ(kept: Kept, document: VenueDocument, *, ids: Mapping[str, UUID]) -> Difference:
    """Returns how the document differs from the venue; `ids` has all of its resources."""
    before, after = kept.by_id, {ids[each.slug]: each for each in document.resources}
    edges_before, edges = edges_by_id(kept.document, kept.ids), edges_by_id(document, ids)
    joined = {id_ for edge, _ in edges_before.items() ^ edges.items() for id_ in edge}
    return Difference(
        own=tuple(each for each in OWN_FIELDS if getattr(kept.document, each) != getattr(document, each)),
        put={
            id_: each
            for id_, each in after.items()
            if id_ in joined or id_ not in before or _alone(each) != _alone(before[id_])
        },
        removed={id_: each for id_, each in before.items() if id_ not in after},
        shrunk={id_: each for id_, each in after.items() if id_ in before and each.units < before[id_].units},
        grown=tuple(id_ for id_, each in after.items() if id_ in before and each.units > before[id_].units),
        rebuilt={
            id_: "parts" if each.parts else "takes"
            for id_, each in after.items()
            if id_ in before and not before[id_].parts and (each.parts or each.takes != before[id_].takes)
        },
        wholes=_changed_wholes(kept, after, ids),
        edges=edges if edges != edges_before else None,
    )


def _alone(resource: ResourceDocument) -> ResourceDocument:
    return resource.model_copy(update={"adjacent": ()})


def _changed_wholes(
    kept: Kept, after: Mapping[UUID, ResourceDocument], ids: Mapping[str, UUID]
) -> dict[UUID, tuple[UUID, ...]]:
    """Returns the existing wholes whose leaves, or units of them, change, each with its leaves so far."""
    before, new = _leaf_units(kept.by_id, kept.ids), _leaf_units(after, ids)
    return {id_: tuple(leaves) for id_, leaves in before.items() if new.get(id_) != leaves}


def _leaf_units(
    resources: Mapping[UUID, ResourceDocument], ids: Mapping[str, UUID]
) -> dict[UUID, dict[UUID, int]]:
    """Returns the leaves of each whole with their units."""
    parts = {each.slug: each.parts for each in resources.values() if each.parts}
    return {
        ids[slug]: {ids[leaf]: resources[ids[leaf]].units for leaf in leaves_of(slug, parts)}
        for slug in parts
    }


async def _refuse_in_use(tx: Tx, kept: Kept, difference: Difference) -> None:
    taken_away = {*difference.removed, *difference.shrunk, *difference.rebuilt}  # wholly or in part
    in_use = await write_store.resources_in_use(tx, taken_away, tenant_id=kept.tenant_id)
    wholes = await write_store.wholes_in_use(tx, difference.wholes, tenant_id=kept.tenant_id)
    errors = [_whole_in_use(kept.by_id[id_], owners, difference) for id_, owners in wholes.items()]
    for id_, use in in_use.items():
        if id_ in difference.removed:
            problem = f"can't be removed while bookings or blocks use it: {use.claims} now or later"
            errors.append({"field": "resources", "value": difference.removed[id_].slug, "problem": problem})
        elif id_ in difference.rebuilt:
            field, slug = difference.rebuilt[id_], kept.by_id[id_].slug
            problem = f"of {slug} can't change while bookings or blocks use it: {use.claims} now or later"
            errors.append({"field": field, "value": None, "problem": problem})
        elif use.at_once > difference.shrunk[id_].units:
            each = difference.shrunk[id_]
            problem = f"must be at least {use.at_once}: that many units of {each.slug} are in use at once, now or later"
            errors.append({"field": "units", "value": each.units, "problem": problem})
    if errors:
        detail = "; ".join(f"{each['field']} {each['value']}: {each['problem']}" for each in errors[:5])
        raise InvalidRequest(detail, errors=errors[:50])


def _whole_in_use(whole: ResourceDocument, owners: int, difference: Difference) -> dict[str, Any]:
    many = f"{owners} booking{'s' if owners > 1 else ''} or block{'s' if owners > 1 else ''} of all of it, now or later"
    if any(each is whole for each in difference.removed.values()):
        return {
            "field": "resources",
            "value": whole.slug,
            "problem": f"can't be removed while there is {many}",
        }
    problem = f"of {whole.slug}, and their units, can't change while there is {many}"
    return {"field": "parts", "value": list(whole.parts), "problem": problem}


async def _write(
    tx: Tx, kept: Kept, document: VenueDocument, difference: Difference, *, ids: Mapping[str, UUID]
) -> None:
    tenant_id, venue_id = kept.tenant_id, kept.id
    if difference.own:
        await write_store.update_venue(tx, document, tenant_id=tenant_id, id=venue_id)
    else:
        await write_store.touch_venue(tx, tenant_id=tenant_id, id=venue_id)
    # Remove first: a new resource may take the slug of a removed one.
    await write_store.remove_resources(tx, difference.removed, tenant_id=tenant_id)
    await write_store.put_resources(tx, difference.put, ids=ids, tenant_id=tenant_id, venue_id=venue_id)
    if difference.edges is not None:
        await write_store.replace_joins(tx, difference.edges, tenant_id=tenant_id, venue_id=venue_id)
    payload = {
        "venue_id": kept.id,
        "rules_version": kept.rules_version + 1,
        "changed": list(difference.own),
        "resource_ids": list(difference.put),
        "grown_resource_ids": list(difference.grown),
        "removed_resource_ids": list(difference.removed),
    }
    await write_store.emit_about(tx, "venue.updated", payload, tenant_id=tenant_id, venue_id=venue_id)
