"""What a new document changes of a venue: what has to be written, and what a person is shown. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from holdfast.place.document import ResourceDocument, VenueDocument
from holdfast.place.kept import Edge, Kept, edges_by_id
from holdfast.place.parts import leaves_of

OWN_FIELDS = (
    "slug",
    "name",
    "kind",
    "timezone",
    "currency",
    "policy",
    "hours",
    "slots",
    "questions",
    "stay",
)
CHANGES_MAX = 100
"""How many changes an answer lists."""
_KEYS = {
    "slots": "id",
    "questions": "id",
    "extras": "id",
    "discounts": "code",
    "exceptions": "date",
    "adjacent": "slug",
}
"""Lists whose entries have a name of their own, by the name of the list -> the field with it."""


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
            id_: field
            for id_, each in after.items()
            if id_ in before and not before[id_].parts and (field := _rebuilt(before[id_], each))
        },
        wholes=_changed_wholes(kept, after, ids),
        edges=edges if edges != edges_before else None,
    )


def _rebuilt(before: ResourceDocument, after: ResourceDocument) -> str | None:
    """Returns the field by which claims on the resource would mean something else."""
    if after.parts:
        return "parts"
    return next((each for each in ("takes", "group") if getattr(before, each) != getattr(after, each)), None)


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


class Changed(NamedTuple):
    """One value that a change sets. `path`: where it is in the document, with dots; resources, slots and exceptions by
    their slug, id and date. None: it is not there."""

    path: str
    before: Any
    after: Any


def list_changes(kept: Kept, document: VenueDocument, difference: Difference) -> list[Changed]:
    """Returns every value that differs, in the order of the document. `document`: settled."""
    found = list(_own_changes(kept.document, document, difference.own))
    slugs = {id_: each.slug for id_, each in kept.by_id.items()}
    for id_, each in difference.put.items():
        before = kept.by_id.get(id_)
        path = f"resources.{slugs.get(id_, each.slug)}"
        found += _changes(path, None if before is None else _json(before), _json(each))
    for each in difference.removed.values():
        found += _changes(f"resources.{each.slug}", _json(each), None)
    return found


def all_new(document: VenueDocument) -> list[Changed]:
    """Returns the changes that make a new venue: each of its fields and resources."""
    own = document.model_dump(mode="json", include=set(OWN_FIELDS))
    found = [Changed(name, None, own[name]) for name in OWN_FIELDS]
    return found + [Changed(f"resources.{each.slug}", None, _json(each)) for each in document.resources]


def _own_changes(before: VenueDocument, after: VenueDocument, own: tuple[str, ...]) -> Iterator[Changed]:
    old, new = (each.model_dump(mode="json", include=set(own)) for each in (before, after))
    for name in own:
        yield from _changes(name, old[name], new[name])


def _json(resource: ResourceDocument) -> dict[str, Any]:
    return resource.model_dump(mode="json")


def _changes(path: str, before: Any, after: Any) -> Iterator[Changed]:
    """Yields the values in which two JSON values differ, as deep as both have the same shape."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        if any(
            each.get(name, 0) is None for name in before.keys() ^ after.keys() for each in (before, after)
        ):
            yield Changed(path, before, after)  # null and missing differ, and look the same one by one
            return
        for name in before | after:
            yield from _changes(f"{path}.{name}", before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _changes_in_list(path, before, after)
    else:
        yield Changed(path, before, after)


def _changes_in_list(path: str, before: list[Any], after: list[Any]) -> Iterator[Changed]:
    key = _KEYS.get(path.rpartition(".")[2])
    if not all(
        isinstance(each, dict) for each in (*before, *after)
    ):  # names, such as the slots of a price rule
        yield Changed(path, before, after)
        return
    old, new = _named(before, key), _named(after, key)
    for name in old | new:
        yield from _changes(f"{path}.{name}", old.get(name), new.get(name))
    # The same entries in another order.
    stayed, stays = ([each for each in one if each in other] for one, other in ((old, new), (new, old)))
    if stayed != stays:
        yield Changed(path, list(old), list(new))


def _named(values: list[Any], key: str | None) -> dict[Any, Any]:
    return {(index if key is None else each[key]): each for index, each in enumerate(values)}
