"""A venue as bookings are decided on: one frozen snapshot of all its rules and resources, and which of
these combine for a party. A resource may be in many combinations and is still bookable alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations as pairs_of
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from holdfast.place.opening.spans import Hours, Slot
from holdfast.place.policy import Policy

SETS_EXAMINED_MAX = 2000
"""No search looks at more sets of two or more resources than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What is reserved. Buffers are resolved: the resource's own, or else the policy's."""

    id: UUID
    slug: str
    name: str
    kind: str
    zone: str | None
    seats_min: int
    seats_max: int
    units: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    attributes: Mapping[str, Any]
    hours: Hours | None
    active: bool
    sort_order: int
    position: Mapping[str, Any] | None

    @property
    def order(self) -> tuple[int, str]:
        """Where it stands in a list: by sort order, then slug."""
        return self.sort_order, self.slug


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A venue at one version of its rules.

    `joins`: resource id -> neighbour id -> seats lost when the two are combined; every edge is there
    in both directions. `rules_version` grows with each change of anything in the snapshot; `version`
    is the venue's own.
    """

    id: UUID
    tenant_id: UUID
    tenant_slug: str
    slug: str
    name: str
    kind: str
    timezone: str
    tz: ZoneInfo
    currency: str
    policy: Policy
    hours: Hours
    slots: tuple[Slot, ...]
    resources: Mapping[UUID, Resource]
    joins: Mapping[UUID, Mapping[UUID, int]]
    rules_version: int
    version: int


class Capacity(NamedTuple):
    """How many guests a set of resources takes."""

    seats_min: int
    seats_max: int


def capacity(venue: Venue, resource_ids: Collection[UUID]) -> Capacity:
    """Guests that a set of resources takes together.

    The largest number is the sum of theirs less the seats lost where two of them are joined; members
    that are not adjacent just add up. The smallest is the sum of theirs, at most the largest.
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
    """The sets of active, connected resources that take the party, best first; worked out as asked for.

    Fewest resources first, then fewest seats wasted, then the order in which resources are listed.
    At most `combination_resources_max` of the policy in a set, and at most `SETS_EXAMINED_MAX` sets
    of two or more examined: of a very large plan not every set is found.
    """
    for level in _levels(venue, resource_ids_allowed):
        yield from _fitting(venue, level, party_size)


def capacities(venue: Venue, resource_ids_allowed: Iterable[UUID]) -> Iterator[Capacity]:
    """How many guests each set takes that `combinations` would look at."""
    for level in _levels(venue, resource_ids_allowed):
        for members in level:
            yield capacity(venue, members)


def _levels(venue: Venue, resource_ids_allowed: Iterable[UUID]) -> Iterator[list[tuple[UUID, ...]]]:
    """The connected sets of active resources: first of one, then of two, ..."""
    allowed = {each for each in resource_ids_allowed if venue.resources[each].active}
    level = [(each,) for each in sorted(allowed, key=lambda each: venue.resources[each].order)]
    left = SETS_EXAMINED_MAX
    for size in range(1, venue.policy.combination_resources_max + 1):
        if size > 1:
            level = _grown(venue, level, allowed, sets_max=left)
            left -= len(level)
        yield level


def _grown(
    venue: Venue, level: list[tuple[UUID, ...]], allowed: set[UUID], *, sets_max: int
) -> list[tuple[UUID, ...]]:
    """The connected sets with one resource more, each once."""
    found: dict[frozenset[UUID], tuple[UUID, ...]] = {}
    for members in level:
        neighbours = {other for each in members for other in venue.joins.get(each, {})}
        for other in sorted(neighbours & allowed - set(members), key=lambda id: venue.resources[id].order):
            if len(found) >= sets_max:
                return list(found.values())
            grown = sorted((*members, other), key=lambda id: venue.resources[id].order)
            found.setdefault(frozenset(grown), tuple(grown))
    return list(found.values())


def _fitting(venue: Venue, level: list[tuple[UUID, ...]], party_size: int) -> list[tuple[UUID, ...]]:
    """Those that take the party, fewest wasted seats first."""
    fitting: list[tuple[int, tuple[UUID, ...]]] = []
    for members in level:
        seats_min, seats_max = capacity(venue, members)
        if seats_min <= party_size <= seats_max:
            fitting.append((seats_max - party_size, members))
    fitting.sort(key=lambda each: (each[0], [venue.resources[id].order for id in each[1]]))
    return [members for _, members in fitting]
