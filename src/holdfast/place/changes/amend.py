"""Changes a venue to match a document, or only says what that would change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from uuid import UUID

from holdfast.kernel.db.tx import Tx, lock_key, take_lock
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.ids import new_id
from holdfast.place import store, write_store
from holdfast.place.changes.difference import Changed, Difference, all_new, differ, list_changes
from holdfast.place.changes.settle import settled
from holdfast.place.document import ResourceDocument, VenueDocument
from holdfast.place.kept import Kept, ResourceKey, Tenant, edges_by_id
from holdfast.place.storable import refuse_unstorable

ERRORS_MAX = 50
Error = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Amended:
    """A venue before and after a change. `before`: None for a new venue. `changes`: every value that differs.

    `problems`: of a change that was only foreseen, why it would be refused now: {field, value, problem}.
    """

    before: Kept | None
    after: Kept
    changes: Sequence[Changed]
    problems: Sequence[Error] = ()


class Amending(NamedTuple):
    """How a change is carried out: `WRITTEN`, or `FORESEEN`, which writes nothing and takes no lock.

    `create(tx, document, owner)` returns None if the owner already has a venue with that slug.
    `change(tx, kept, document, *, ids)` changes the venue to match the document. `ids`: the existing resources in the
    document, by the slug that the document gives them; existing resources that are not in it are removed.
    """

    create: Callable[[Tx, VenueDocument, Tenant], Awaitable[Amended | None]]
    change: Callable[..., Awaitable[Amended]]
    lock: Callable[[Tx, UUID], Awaitable[None]]


async def _create(tx: Tx, document: VenueDocument, owner: Tenant) -> Amended | None:
    foreseen = await _foresee_new(tx, document, owner)
    document, venue_id = foreseen.after.document, foreseen.after.id
    if not await write_store.insert_venue(tx, document, tenant_id=owner.id, id=venue_id):
        return None
    ids = foreseen.after.ids
    resources = {ids[each.slug]: each for each in document.resources}
    await write_store.put_resources(tx, resources, ids=ids, tenant_id=owner.id, venue_id=venue_id)
    edges = edges_by_id(document, ids)
    await write_store.replace_joins(tx, edges, tenant_id=owner.id, venue_id=venue_id)
    payload = {"venue_id": venue_id, "rules_version": 1}
    await write_store.emit_about(tx, "venue.created", payload, tenant_id=owner.id, venue_id=venue_id)
    return replace(foreseen, after=await _read(tx, venue_id))


async def _foresee_new(tx: Tx, document: VenueDocument, owner: Tenant) -> Amended:
    refuse_unstorable(document.model_dump(mode="json"))
    document = settled(document)
    after = Kept(
        id=new_id(),
        tenant_id=owner.id,
        tenant_slug=owner.slug,
        document=document,
        keys={each.slug: ResourceKey(new_id(), 1) for each in document.resources},
        version=1,
        rules_version=1,
        created_at=tx.now,
        updated_at=tx.now,
    )
    return Amended(None, after, all_new(document))


async def _rewrite(tx: Tx, kept: Kept, document: VenueDocument, *, ids: Mapping[str, UUID]) -> Amended:
    """The caller holds the venue's lock. Raises `InvalidRequest` if a removed resource is in use now or later, or if a
    resource would have fewer units than are in use at the same time."""
    foreseen, difference = await _foresee_with(tx, kept, document, ids)
    if not difference:
        return foreseen
    if foreseen.problems:
        detail = "; ".join(
            f"{each['field']} {each['value']}: {each['problem']}" for each in foreseen.problems[:5]
        )
        raise InvalidRequest(detail, errors=foreseen.problems)
    await _write(tx, kept, foreseen.after, difference)
    return replace(foreseen, after=await _read(tx, kept.id))


async def _foresee(tx: Tx, kept: Kept, document: VenueDocument, *, ids: Mapping[str, UUID]) -> Amended:
    return (await _foresee_with(tx, kept, document, ids))[0]


async def _foresee_with(
    tx: Tx, kept: Kept, document: VenueDocument, ids: Mapping[str, UUID]
) -> tuple[Amended, Difference]:
    refuse_unstorable(document.model_dump(mode="json"))
    document = settled(document)
    known = {each.slug: ids.get(each.slug) or new_id() for each in document.resources}
    difference = differ(kept, document, ids=known)
    if not difference:
        return Amended(kept, kept, ()), difference
    versions = {key.id: key.version for key in kept.keys.values()}
    keys = {slug: ResourceKey(id_, versions.get(id_, 1)) for slug, id_ in known.items()}
    after = replace(kept, document=document, keys=keys)
    problems = await _in_use(tx, kept, difference)
    return Amended(kept, after, list_changes(kept, document, difference), problems), difference


async def _in_use(tx: Tx, kept: Kept, difference: Difference) -> list[Error]:
    taken_away = {*difference.removed, *difference.shrunk, *difference.rebuilt}  # wholly or in part
    in_use = await write_store.resources_in_use(tx, taken_away, tenant_id=kept.tenant_id)
    wholes = await write_store.wholes_in_use(tx, difference.wholes, tenant_id=kept.tenant_id)
    errors = [_whole_in_use(kept.by_id[id_], owners, difference) for id_, owners in wholes.items()]
    for id_, use in in_use.items():
        if id_ in difference.removed:
            problem = f"can't be removed while bookings or blocks use it: {use.claims} now or later"
            errors.append({"field": "resources", "value": difference.removed[id_].slug, "problem": problem})
        elif (field := difference.rebuilt.get(id_)) and (field != "group" or use.unbound):
            slug = kept.by_id[id_].slug
            problem = f"of {slug} can't change while bookings or blocks use it: {use.claims} now or later"
            errors.append({"field": field, "value": None, "problem": problem})
        elif id_ in difference.shrunk and use.at_once > difference.shrunk[id_].units:
            each = difference.shrunk[id_]
            problem = f"must be at least {use.at_once}: that many units of {each.slug} are in use at once, now or later"
            errors.append({"field": "units", "value": each.units, "problem": problem})
    return errors[:ERRORS_MAX]


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


async def _write(tx: Tx, kept: Kept, after: Kept, difference: Difference) -> None:
    tenant_id, venue_id, document = kept.tenant_id, kept.id, after.document
    if difference.own:
        await write_store.update_venue(tx, document, tenant_id=tenant_id, id=venue_id)
    else:
        await write_store.touch_venue(tx, tenant_id=tenant_id, id=venue_id)
    # Remove first: a new resource may take the slug of a removed one.
    await write_store.remove_resources(tx, difference.removed, tenant_id=tenant_id)
    await write_store.put_resources(tx, difference.put, ids=after.ids, tenant_id=tenant_id, venue_id=venue_id)
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


async def _read(tx: Tx, venue_id: UUID) -> Kept:
    after = await store.read_venue(tx, venue_id)
    assert after is not None
    return after


async def _lock(tx: Tx, venue_id: UUID) -> None:
    await take_lock(tx, lock_key(venue_id))


async def _no_lock(_tx: Tx, _venue_id: UUID) -> None:
    return None


WRITTEN = Amending(_create, _rewrite, _lock)
FORESEEN = Amending(_foresee_new, _foresee, _no_lock)
