"""The sets of a venue's resources that take a party: single ones, and connected ones together. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations as pairs_of
from typing import NamedTuple
from uuid import UUID

from holdfast.place.venue import Resource, Venue

SETS_EXAMINED_MAX = 2000
"""How many sets of two or more resources a search examines."""


class Capacity(NamedTuple):
    """The smallest and largest party that a set of resources takes."""

    seats_min: int
    seats_max: int


@dataclass(frozen=True, slots=True)
class Fitting:
    """The sets that take a party; if there are none, the nearest smaller and larger party sizes that fit."""

    sets: tuple[tuple[Resource, ...], ...] = ()
    smaller: int | None = None
    larger: int | None = None


def find_fitting(venue: Venue, ids: tuple[UUID, ...], party_size: int) -> Fitting:
    """Returns the sets of these resources that take the party, best first."""
    sets = tuple(
        tuple(venue.resources[id_] for id_ in members) for members in combinations(venue, ids, party_size)
    )
    if sets:
        return Fitting(sets)
    found = list(capacities(venue, ids))
    return Fitting(
        smaller=max((each.seats_max for each in found if each.seats_max < party_size), default=None),
        larger=min((each.seats_min for each in found if each.seats_min > party_size), default=None),
    )


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
