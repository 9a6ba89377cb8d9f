"""How the resources of a document belong together: wholes and their parts, a hall that is made of courts; and types
whose resources stand in for each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from holdfast.kernel.body import Problem

LEVELS_MAX = 3
"""A whole, its parts, and their parts."""


ALIKE = ("kind", "seats_min", "seats_max", "buffer_before_minutes", "buffer_after_minutes", "hours")
"""What resources of a type have in common, where bookings of the type are bound late."""


class HasParts(Protocol):
    """A resource of a document."""

    @property
    def slug(self) -> str: ...
    @property
    def parts(self) -> tuple[str, ...]: ...
    @property
    def units(self) -> int: ...
    @property
    def takes(self) -> str: ...
    @property
    def adjacent(self) -> Sequence[Any]: ...


class HasType(HasParts, Protocol):
    """The same, with its type."""

    @property
    def group(self) -> str | None: ...


def problems_of_types(resources: Sequence[HasType]) -> Iterator[Problem]:
    """Yields where resources of one type differ, although bookings are promised the type and get one of them later."""
    first: dict[str, tuple[int, HasType]] = {}
    for index, each in enumerate(resources):
        if each.group is None:
            continue
        at, model = first.setdefault(each.group, (index, each))
        if each.parts or each.units != 1 or each.takes != "party":
            problem = "must be a single resource without parts, since bookings of its type are bound late (bind_group)"
            yield Problem(("resources", index, "group"), each.group, problem)
        for name in ALIKE:
            if getattr(each, name) != getattr(model, name):
                problem = f"must be as for resources.{at}, of the same type, which is bound late (bind_group)"
                yield Problem(("resources", index, name), _plain(getattr(each, name)), problem)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else None


def leaves_of(slug: str, parts: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Returns the slugs of the parts that have no parts themselves, each once, in order; for a resource without parts,
    its own. `parts`: slug of each whole -> its parts, without circles."""
    if not parts.get(slug):
        return (slug,)
    found = (leaf for part in parts[slug] for leaf in leaves_of(part, parts))
    return tuple(dict.fromkeys(found))


def problems_of_parts(resources: Sequence[HasParts]) -> Iterator[Problem]:
    """Yields what is wrong with the parts of a document's resources."""
    parts = {each.slug: each.parts for each in resources if each.parts}
    slugs = {each.slug for each in resources}
    joined = {other.slug for each in resources for other in each.adjacent}
    for index, each in enumerate(resources):
        if each.parts:
            yield from _of_parts(index, each, slugs, parts)
        if each.parts or each.takes == "guests":
            yield from _of_combining(index, each, joined)


def _of_parts(
    index: int, whole: HasParts, slugs: set[str], parts: Mapping[str, Sequence[str]]
) -> Iterator[Problem]:
    if whole.units != 1:
        problem = "must be 1 for a resource with parts: its parts have the units"
        yield Problem(("resources", index, "units"), whole.units, problem)
    if whole.takes != "party":
        problem = "must be party for a resource with parts: a party takes all of it"
        yield Problem(("resources", index, "takes"), whole.takes, problem)
    for at, part in enumerate(whole.parts):
        where = ("resources", index, "parts", at)
        if part not in slugs:
            yield Problem(where, part, "must be the slug of a resource of this document")
        elif part in whole.parts[:at]:
            yield Problem(where, part, "is listed twice: name each part once")
        elif _height(part, parts, {whole.slug}) >= LEVELS_MAX:
            problem = (
                f"goes too deep: a whole, its parts and their parts are {LEVELS_MAX} levels, "
                "and no resource is a part of itself"
            )
            yield Problem(where, part, problem)


def _of_combining(index: int, resource: HasParts, joined: set[str]) -> Iterator[Problem]:
    if resource.adjacent or resource.slug in joined:
        what = "resource with parts" if resource.parts else "resource that takes guests"
        problem = f"can't be combined with others: a {what} is booked on its own"
        yield Problem(("resources", index, "adjacent"), resource.slug, problem)


def _height(slug: str, parts: Mapping[str, Sequence[str]], above: set[str]) -> int:
    """Returns the number of levels from the resource down; LEVELS_MAX, or more, also where it contains itself."""
    if slug in above or len(above) >= LEVELS_MAX:
        return LEVELS_MAX
    below = (_height(each, parts, above | {slug}) for each in parts.get(slug, ()))
    return 1 + max(below, default=0)
