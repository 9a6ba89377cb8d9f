"""Which resources a booking gets. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from holdfast.booking.deciding.rules import PartyTooLarge, PartyTooSmall, check_party
from holdfast.booking.model import Booking
from holdfast.booking.states import CLAIM_STATES
from holdfast.claim.model import Claim, Occupancy, Probe, claimed_span
from holdfast.claim.recolour import Fit, make_room
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource, Venue, capacities, combinations

RESOURCES_KEPT_MAX = 500_000


@dataclass(frozen=True, slots=True)
class Preferences:
    """Which resources will do, when none is named. Empty means any."""

    kinds: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    attributes: tuple[tuple[str, Any], ...] = ()

    def accepts(self, resource: Resource) -> bool:
        return (
            (not self.kinds or resource.kind in self.kinds)
            and (not self.zones or resource.zone in self.zones)
            and all(resource.attributes.get(key) == value for key, value in self.attributes)
        )


ANYTHING = Preferences()


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of a venue's resources, without the time: the named ones, or whatever fits."""

    party_size: int
    resource_ids: tuple[UUID, ...] = ()
    preferences: Preferences = ANYTHING


def candidate_sets(venue: Venue, demand: Demand) -> tuple[tuple[Resource, ...], ...]:
    """The sets of resources that would do, best first: the named ones, or by fewest resources, then
    fewest seats wasted.

    Raises InvalidRequest (unknown, inactive or repeated resource), PartyTooLarge, PartyTooSmall.
    """
    if demand.resource_ids:
        named = named_resources(venue, demand.resource_ids)
        check_party(venue, named, demand.party_size)
        return (named,)
    allowed = [each for each in venue.resources.values() if each.active and demand.preferences.accepts(each)]
    if not allowed:
        raise InvalidRequest.of(
            "preferences", None, "no resource of this venue is of that kind, zone and attributes"
        )
    # By what the preferences come to, not by how they were put: callers can put them in endless ways.
    ids = tuple(each.id for each in allowed)
    fitting = _KEPT.fitting(venue, ids, demand.party_size)
    if not fitting.sets:
        raise _no_fit(venue, fitting, demand.party_size)
    return fitting.sets


@dataclass(frozen=True, slots=True)
class _Fitting:
    """The sets that take a party or, when none does, the nearest sizes that one would."""

    sets: tuple[tuple[Resource, ...], ...] = ()
    smaller: int | None = None
    larger: int | None = None


class _Kept:
    """What was worked out lately; RESOURCES_KEPT_MAX resources in it, whoever asks for what."""

    def __init__(self) -> None:
        self._by_question: OrderedDict[object, _Fitting] = OrderedDict()
        self._size = 0

    def fitting(self, venue: Venue, ids: tuple[UUID, ...], party_size: int) -> _Fitting:
        question = (venue.id, venue.rules_version, ids, party_size)
        found = self._by_question.get(question)
        if found is None:
            found = self._by_question[question] = _work_out(venue, ids, party_size)
            self._size += _size(found, ids)
        self._by_question.move_to_end(question)
        while self._size > RESOURCES_KEPT_MAX and len(self._by_question) > 1:
            (_, _, old_ids, _), old = cast(Any, self._by_question.popitem(last=False))
            self._size -= _size(old, old_ids)
        return found


def _size(fitting: _Fitting, ids: tuple[UUID, ...]) -> int:
    return len(ids) + sum(map(len, fitting.sets))


def _work_out(venue: Venue, ids: tuple[UUID, ...], party_size: int) -> _Fitting:
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


_KEPT = _Kept()


def _no_fit(venue: Venue, fitting: _Fitting, party_size: int) -> PartyTooLarge | PartyTooSmall:
    """Which sizes nearest to the party's would do."""
    smaller, larger = fitting.smaller, fitting.larger
    sizes = [f"up to {smaller}"] if smaller is not None else []
    sizes += [f"{larger} or more"] if larger is not None else []
    said = f"{venue.name} has room there for parties of {' or '.join(sizes)}; this one is {party_size}."
    if smaller is None:
        return PartyTooSmall(said, seats_min=larger)
    return PartyTooLarge(said, seats_max=smaller)


def named_resources(venue: Venue, resource_ids: Sequence[UUID]) -> tuple[Resource, ...]:
    """The venue's resources with those ids, in that order. Raises InvalidRequest."""
    if len(set(resource_ids)) != len(resource_ids):
        raise InvalidRequest.of("resource_ids", [str(id_) for id_ in resource_ids], "each resource once")
    for id_ in resource_ids:
        resource = venue.resources.get(id_)
        if resource is None:
            raise InvalidRequest.of("resource_ids", str(id_), f"is not a resource of {venue.name}")
        if not resource.active:
            raise InvalidRequest.of("resource_ids", str(id_), f"{resource.name} is not in use at the moment")
    return tuple(venue.resources[id_] for id_ in resource_ids)


def distinct(sets: Iterable[tuple[Resource, ...]]) -> list[Resource]:
    """Every resource of the sets once, in the order they first come in."""
    return list({resource.id: resource for resources in sets for resource in resources}.values())


def first_free(
    sets: Sequence[tuple[Resource, ...]], span: Span, occupancy: Occupancy, *, but: UUID | None = None
) -> tuple[tuple[Resource, ...], list[Fit]] | list[Probe] | None:
    """The best set that is free, with where on each resource the booking goes; None when none is.

    Probes: what the occupancy must learn of the ledger before that can be said.
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
    """Where a booking of that span goes; those of owner `but` are in nobody's way.

    The lowest unit that is free, else one that others make free. None when at some instant no unit is left, or so much
    would have to move that it isn't tried. A probe: what the occupancy must learn of the ledger before that can be
    said.
    """
    unit = occupancy.free_unit(resource, span, but=but)
    if unit is not None:
        return Fit(unit)
    if resource.units == 1 or not occupancy.has_room(resource, span, but=but):
        return None
    return make_room(occupancy, resource, span, but=but)


def settle(fits: Sequence[Fit], occupancy: Occupancy) -> tuple[int, ...]:
    """The units, free from now on: in the occupancy what is there has moved."""
    for each in fits:
        for claim, unit in each.moves:
            occupancy.move(claim, unit)
    return tuple(each.unit for each in fits)


def claims_of(
    booking: Booking, resources: Sequence[Resource], units: Sequence[int], *, changed_by: str
) -> list[Claim]:
    """The claims, buffers included, by which the booking occupies those units until it expires."""
    state = CLAIM_STATES[booking.status]
    return [
        Claim(
            booking.tenant_id,
            resource.id,
            unit,
            claimed_span(resource, booking.span),
            booking.id,
            expires_at=booking.expires_at,
            state=state,
            changed_by=changed_by,
        )
        for resource, unit in zip(resources, units, strict=True)
    ]
