"""Chooses the resources for a booking. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations as pairs_of
from typing import Any, NamedTuple, cast
from uuid import UUID

from holdfast.assigning.preferences import ANYTHING, Preferences
from holdfast.claim.model import Occupancy, Probe
from holdfast.claim.recolour import Fit, make_room
from holdfast.kernel.errors import HoldfastError, InvalidRequest, Kind
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource, Venue

RESOURCES_CACHED_MAX = 500_000
SETS_EXAMINED_MAX = 2000
"""How many sets of two or more resources a search examines."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a booking needs of a venue's resources, apart from the time: the named ones, or any that fit."""

    party_size: int
    resource_ids: tuple[UUID, ...] = ()
    preferences: Preferences = ANYTHING


class Capacity(NamedTuple):
    """The smallest and largest party that a set of resources takes."""

    seats_min: int
    seats_max: int


class PartyTooLarge(HoldfastError):
    """These resources don't seat the party. Field `seats_max`."""

    kind = Kind.INVALID
    code = "PARTY_TOO_LARGE"


class PartyTooSmall(HoldfastError):
    """These resources are for larger parties. Field `seats_min`."""

    kind = Kind.INVALID
    code = "PARTY_TOO_SMALL"


def candidate_sets(venue: Venue, demand: Demand) -> tuple[tuple[Resource, ...], ...]:
    """Returns the sets of resources that fit, best first: the named ones, or all, by fewest resources, then fewest
    seats wasted.

    Raises InvalidRequest (unknown, inactive or repeated resource), PartyTooLarge, PartyTooSmall.
    """
    if demand.resource_ids:
        named = named_resources(venue, demand.resource_ids)
        check_party(venue, named, demand.party_size)
        return (named,)
    allowed = [each for each in venue.resources.values() if each.active and demand.preferences.accepts(each)]
    if not allowed:
        raise InvalidRequest.of(
            "preferences", None, "no resource of this venue has that kind, zone and attributes"
        )
    # Cached by the resources that match, not by the preferences: callers can express these in endless ways.
    ids = tuple(each.id for each in allowed)
    fitting = _CACHE.fitting(venue, ids, demand.party_size)
    if not fitting.sets:
        raise _no_fit(venue, fitting, demand.party_size)
    return fitting.sets


def named_resources(venue: Venue, resource_ids: Sequence[UUID]) -> tuple[Resource, ...]:
    """Returns the venue's resources with those ids, in that order. Raises InvalidRequest."""
    if len(set(resource_ids)) != len(resource_ids):
        raise InvalidRequest.of(
            "resource_ids", [str(id_) for id_ in resource_ids], "must name each resource once"
        )
    for id_ in resource_ids:
        resource = venue.resources.get(id_)
        if resource is None:
            raise InvalidRequest.of("resource_ids", str(id_), f"is not a resource of {venue.name}")
        if not resource.active:
            raise InvalidRequest.of("resource_ids", str(id_), f"{resource.name} is not in use")
    return tuple(venue.resources[id_] for id_ in resource_ids)


def check_party(venue: Venue, resources: Sequence[Resource], party_size: int) -> None:
    """Raises PartyTooLarge or PartyTooSmall if the resources together do not take a party of that size."""
    least, most = capacity(venue, [resource.id for resource in resources])
    names = " + ".join(resource.name for resource in resources)
    if party_size > most:
        raise PartyTooLarge(f"{names} seats {most}; the party is {party_size}.", seats_max=most)
    if party_size < least:
        raise PartyTooSmall(
            f"{names} is for parties of {least} or more; the party is {party_size}.", seats_min=least
        )


def fitting(venue: Venue, resource_ids: Sequence[UUID], party_size: int) -> tuple[Resource, ...] | None:
    """Returns these resources if they are in use and together take a party of that size; otherwise None."""
    try:
        resources = named_resources(venue, resource_ids)
        check_party(venue, resources, party_size)
    except HoldfastError:
        return None
    return resources or None


def capacity(venue: Venue, resource_ids: Collection[UUID]) -> Capacity:
    """Returns the smallest and largest party that a set of resources takes together.

    The largest is the sum of their largest, minus the seats lost for each joined pair; resources that are not
    adjacent simply add up. The smallest is the sum of their smallest, but not more than the largest.
    """
    members = [venue.resources[each] for each in set(resource_ids)]
    if len(members) == 1:
        return Capacity(members[0].seats_min, members[0].seats_max)
    lost = sum(venue.joins.get(a.id, {}).get(b.id, 0) for a, b in pairs_of(members, 2))
    seats_max = max(sum(each.seats_max for each in members) - lost, 0)
    return Capacity(min(sum(each.seats_min for each in members), seats_max), seats_max)


@dataclass(frozen=True, slots=True)
class _Fitting:
    """The sets that take a party; if there are none, the nearest smaller and larger party sizes that fit."""

    sets: tuple[tuple[Resource, ...], ...] = ()
    smaller: int | None = None
    larger: int | None = None


class _Cache:
    """Caches fittings. Evicts the least recently used beyond RESOURCES_CACHED_MAX resources in all."""

    def __init__(self) -> None:
        self._by_question: OrderedDict[object, _Fitting] = OrderedDict()
        self._size = 0

    def fitting(self, venue: Venue, ids: tuple[UUID, ...], party_size: int) -> _Fitting:
        question = (venue.id, venue.rules_version, ids, party_size)
        found = self._by_question.get(question)
        if found is None:
            found = self._by_question[question] = _find_fitting(venue, ids, party_size)
            self._size += _size(found, ids)
        self._by_question.move_to_end(question)
        while self._size > RESOURCES_CACHED_MAX and len(self._by_question) > 1:
            (_, _, old_ids, _), old = cast(Any, self._by_question.popitem(last=False))
            self._size -= _size(old, old_ids)
        return found


_CACHE = _Cache()


def _size(fitting: _Fitting, ids: tuple[UUID, ...]) -> int:
    return len(ids) + sum(map(len, fitting.sets))


def _find_fitting(venue: Venue, ids: tuple[UUID, ...], party_size: int) -> _Fitting:
    sets = tuple(
        tuple(venue.resources[id_] for id_ in members) for members in combinations(venue, ids, party_size)
    )
    if sets:
        return _Fitting(sets)
    found = list(capacities(venue, ids))
    return _Fitting(
        smaller=max((each.seats_max for each in found if each.seats_max < party_size), default=None),
        larger=min((each.seats_min for each in found if each.seats_min > party_size), default=None),
    )


def combinations(
    venue: Venue, resource_ids_allowed: Iterable[UUID], party_size: int
) -> Iterator[tuple[UUID, ...]]:
    """Yields the sets of active, connected resources that take the party, best first, computed lazily.

    Fewest resources come first, then fewest seats wasted, then the order of resources in lists. A set has at most
    `combination_resources_max` (policy) resources. It examines at most `SETS_EXAMINED_MAX` sets of two or more, so it
    does not find every set of a very large floor plan.
    """
    for level in _levels(venue, resource_ids_allowed):
        yield from _filter_by_size(venue, level, party_size)


def capacities(venue: Venue, resource_ids_allowed: Iterable[UUID]) -> Iterator[Capacity]:
    """Yields the capacity of each set that `combinations` would examine."""
    for level in _levels(venue, resource_ids_allowed):
        for members in level:
            yield capacity(venue, members)


def _levels(venue: Venue, resource_ids_allowed: Iterable[UUID]) -> Iterator[list[tuple[UUID, ...]]]:
    """Yields the connected sets of active resources, by size: those of one resource, those of two, and so on."""
    allowed = {each for each in resource_ids_allowed if venue.resources[each].active}
    level = [(each,) for each in sorted(allowed, key=lambda each: venue.resources[each].order)]
    left = SETS_EXAMINED_MAX
    for size in range(1, venue.policy.combination_resources_max + 1):
        if size > 1:
            level = _grow(venue, level, allowed, sets_max=left)
            left -= len(level)
        yield level


def _grow(
    venue: Venue, level: list[tuple[UUID, ...]], allowed: set[UUID], *, sets_max: int
) -> list[tuple[UUID, ...]]:
    """Returns the connected sets that have one more resource, without duplicates."""
    found: dict[frozenset[UUID], tuple[UUID, ...]] = {}
    for members in level:
        neighbours = {other for each in members for other in venue.joins.get(each, {})}
        for other in sorted(neighbours & allowed - set(members), key=lambda id: venue.resources[id].order):
            if len(found) >= sets_max:
                return list(found.values())
            grown = sorted((*members, other), key=lambda id: venue.resources[id].order)
            found.setdefault(frozenset(grown), tuple(grown))
    return list(found.values())


def _filter_by_size(venue: Venue, level: list[tuple[UUID, ...]], party_size: int) -> list[tuple[UUID, ...]]:
    """Returns the sets that take the party, fewest wasted seats first."""
    fitting: list[tuple[int, tuple[UUID, ...]]] = []
    for members in level:
        seats_min, seats_max = capacity(venue, members)
        if seats_min <= party_size <= seats_max:
            fitting.append((seats_max - party_size, members))
    fitting.sort(key=lambda each: (each[0], [venue.resources[id].order for id in each[1]]))
    return [members for _, members in fitting]


def _no_fit(venue: Venue, fitting: _Fitting, party_size: int) -> PartyTooLarge | PartyTooSmall:
    """Returns the refusal, with the nearest party sizes that fit."""
    smaller, larger = fitting.smaller, fitting.larger
    sizes = [f"up to {smaller}"] if smaller is not None else []
    sizes += [f"{larger} or more"] if larger is not None else []
    detail = f"{venue.name} has room there for parties of {' or '.join(sizes)}; the party is {party_size}."
    if smaller is None:
        return PartyTooSmall(detail, seats_min=larger)
    return PartyTooLarge(detail, seats_max=smaller)


def distinct(sets: Iterable[tuple[Resource, ...]]) -> list[Resource]:
    """Returns the resources of the sets without duplicates, in order of first appearance."""
    return list({resource.id: resource for resources in sets for resource in resources}.values())


def first_free(
    sets: Sequence[tuple[Resource, ...]], span: Span, occupancy: Occupancy, *, but: UUID | None = None
) -> tuple[tuple[Resource, ...], list[Fit]] | list[Probe] | None:
    """Returns the best free set, with a fit for each of its resources; None if no set is free.

    If it can't tell yet, it returns the probes that the occupancy must learn first. Claims of owner `but` don't count.
    """
    for resources in sets:
        fits = [found for each in resources if (found := fit(occupancy, each, span, but=but)) is not None]
        if len(fits) == len(resources):
            unknown = [each for each in fits if not isinstance(each, Fit)]
            return unknown or (resources, [each for each in fits if isinstance(each, Fit)])
    return None


def fit(
    occupancy: Occupancy, resource: Resource, span: Span, *, but: UUID | None = None
) -> Fit | Probe | None:
    """Returns the unit for a booking of that span: the lowest free one, or one that moving other claims makes free.

    None if all units are taken at some instant, or if too many claims would have to move. If it can't tell yet, it
    returns the probe that the occupancy must learn first. Claims of owner `but` don't count.
    """
    unit = occupancy.free_unit(resource, span, but=but)
    if unit is not None:
        return Fit(unit)
    if resource.units == 1 or not occupancy.has_room(resource, span, but=but):
        return None
    return make_room(occupancy, resource, span, but=but)


def settle(fits: Sequence[Fit], occupancy: Occupancy) -> tuple[int, ...]:
    """Applies the moves of these fits to the occupancy. Returns their units, which are then free."""
    for each in fits:
        for claim, unit in each.moves:
            occupancy.move(claim, unit)
    return tuple(each.unit for each in fits)
