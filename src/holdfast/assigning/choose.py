"""Chooses the resources for a booking. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any, cast
from uuid import UUID

from holdfast.assigning.combine import Fitting, capacity, find_fitting
from holdfast.assigning.preferences import ANYTHING, Preferences
from holdfast.claim.model import Occupancy, Probe, units_needed
from holdfast.claim.recolour import Fit, make_room
from holdfast.kernel.errors import HoldfastError, InvalidRequest, Kind
from holdfast.kernel.span import Span
from holdfast.kernel.value import value
from holdfast.place.venue import Resource, Venue

RESOURCES_CACHED_MAX = 500_000
GROUPS_LISTED_MAX = 50
"""How many types a refusal lists."""


@value()
class Demand:
    """What a booking needs of a venue's resources, apart from the time: the named ones, or any that fit."""

    party_size: int
    resource_ids: tuple[UUID, ...] = ()
    preferences: Preferences = ANYTHING


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
    if demand.preferences.group is not None:
        return _of_group(venue, allowed, demand)
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


def _of_group(venue: Venue, allowed: Sequence[Resource], demand: Demand) -> tuple[tuple[Resource, ...], ...]:
    """Returns the resources of a type that take the party, each on its own."""
    if not allowed:
        groups = sorted({each.group for each in venue.resources.values() if each.active and each.group})
        there = ", ".join(groups[:GROUPS_LISTED_MAX]) or "it has none"
        raise InvalidRequest.of("group", demand.preferences.group, f"must be a type of {venue.name}: {there}")
    size = demand.party_size
    fitting = [each for each in allowed if each.seats_min <= size <= each.seats_max]
    if not fitting:
        smaller = max((each.seats_max for each in allowed if each.seats_max < size), default=None)
        larger = min((each.seats_min for each in allowed if each.seats_min > size), default=None)
        raise _no_fit(venue, Fitting(smaller=smaller, larger=larger), size)
    fitting.sort(key=lambda each: (each.seats_max, each.order))
    return tuple((each,) for each in fitting)


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
    named = tuple(venue.resources[id_] for id_ in resource_ids)
    if len(named) > 1:
        _check_together(named)
    return named


def _check_together(named: Sequence[Resource]) -> None:
    """Raises InvalidRequest if one booking can't have these resources together."""
    seen: dict[UUID, Resource] = {}
    for each in named:
        if each.takes == "guests":
            problem = f"{each.name} takes guests one by one: book it on its own"
            raise InvalidRequest.of("resource_ids", str(each.id), problem)
        for leaf in each.claimed:
            other = seen.setdefault(leaf.id, each)
            if other is not each:
                problem = f"{each.name} and {other.name} share {leaf.name}: name only one of them"
                raise InvalidRequest.of("resource_ids", str(each.id), problem)


def check_party(venue: Venue, resources: Sequence[Resource], party_size: int) -> None:
    """Raises PartyTooLarge or PartyTooSmall if the resources together do not take a party of that size."""
    if len(resources) == 1:
        least, most = resources[0].seats_min, resources[0].seats_max
    else:
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


class _Cache:
    """Caches fittings. Evicts the least recently used beyond RESOURCES_CACHED_MAX resources in all."""

    def __init__(self) -> None:
        self._by_question: OrderedDict[object, Fitting] = OrderedDict()
        self._size = 0

    def fitting(self, venue: Venue, ids: tuple[UUID, ...], party_size: int) -> Fitting:
        question = (venue.id, venue.rules_version, ids, party_size)
        found = self._by_question.get(question)
        if found is None:
            found = self._by_question[question] = find_fitting(venue, ids, party_size)
            self._size += _size(found, ids)
        self._by_question.move_to_end(question)
        while self._size > RESOURCES_CACHED_MAX and len(self._by_question) > 1:
            (_, _, old_ids, _), old = cast(Any, self._by_question.popitem(last=False))
            self._size -= _size(old, old_ids)
        return found


_CACHE = _Cache()


def _size(fitting: Fitting, ids: tuple[UUID, ...]) -> int:
    return len(ids) + sum(map(len, fitting.sets))


def _no_fit(venue: Venue, fitting: Fitting, party_size: int) -> PartyTooLarge | PartyTooSmall:
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


def claimed_by(sets: Iterable[tuple[Resource, ...]]) -> list[Resource]:
    """Returns what the sets claim: their resources, or the leaves of wholes. A leaf may come more than once, with other
    buffers."""
    return [leaf for each in distinct(sets) for leaf in each.claimed]


def first_free(
    sets: Sequence[tuple[Resource, ...]],
    span: Span,
    occupancy: Occupancy,
    *,
    party_size: int,
    but: UUID | None = None,
) -> tuple[tuple[Resource, ...], list[Fit]] | list[Probe] | None:
    """Returns the best free set, with a fit for each resource that it claims; None if no set is free.

    If it can't tell yet, it returns the probes that the occupancy must learn first. Claims of owner `but` don't count.
    """
    for resources in sets:
        fits = _fits(resources, span, occupancy, party_size=party_size, but=but)
        if fits is not None:
            unknown = [each for each in fits if not isinstance(each, Fit)]
            return unknown or (resources, [each for each in fits if isinstance(each, Fit)])
    return None


def _fits(
    resources: tuple[Resource, ...], span: Span, occupancy: Occupancy, *, party_size: int, but: UUID | None
) -> list[Fit | Probe] | None:
    """Returns what `fit` finds for each resource that the set claims; None if one of them has no room."""
    fits: list[Fit | Probe] = []
    for each in resources:
        for leaf in each.claimed:
            found = fit(occupancy, leaf, span, units=units_needed(each, leaf, party_size), but=but)
            if found is None:
                return None
            fits.append(found)
    return fits


def fit(
    occupancy: Occupancy, resource: Resource, span: Span, *, units: int = 1, but: UUID | None = None
) -> Fit | Probe | None:
    """Returns units for a booking of that span: the lowest free ones, or ones that moving other claims makes free.

    None if too few are free at some instant, or if too many claims would have to move. If it can't tell yet, it
    returns the probe that the occupancy must learn first. Claims of owner `but` don't count.
    """
    free = occupancy.free_units(resource, span, units=units, but=but)
    if free is not None:
        return Fit(resource, free)
    if resource.units == 1 or not occupancy.has_room(resource, span, units=units, but=but):
        return None
    return make_room(occupancy, resource, span, units=units, but=but)


def settle(fits: Sequence[Fit], occupancy: Occupancy) -> None:
    """Applies the moves of these fits to the occupancy. Their units are then free."""
    for each in fits:
        for (claim, unit), resource_id in zip_longest(each.moves, each.to):
            occupancy.move(claim, unit, resource_id)
