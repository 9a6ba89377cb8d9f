"""Which bookings together are more than a venue takes: units and buffers of its resources, promises of a type, and
arrivals. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from holdfast.booking.fitting.arriving import Arriving
from holdfast.booking.fitting.promised import Promised
from holdfast.booking.fitting.reasons import Wrong, not_available
from holdfast.booking.fitting.standing import Standing
from holdfast.claim.model import claimed_span, units_needed
from holdfast.kernel.span import Span
from holdfast.place.opening.spans import DAY_MINUTES
from holdfast.place.venue import Resource, Venue

BUFFER_MAX = timedelta(minutes=DAY_MINUTES)


class _Taken(NamedTuple):
    """What a booking would claim of a leaf, buffers included."""

    span: Span
    units: int
    booked: Standing


class Crowd:
    """The bookings around the present one, which come in order of their start."""

    def __init__(
        self,
        venue: Venue,
        leaf_ids: Collection[UUID],
        *,
        groups: Collection[str] = (),
        is_paced: bool = False,
    ) -> None:
        """`leaf_ids`: the resources to look at, by what is claimed of them; `groups`: the types; `is_paced`: whether to
        look at arrivals."""
        self._venue = venue
        self._watched = frozenset(leaf_ids)
        self._there: dict[UUID, list[_Taken]] = {}
        self._promised = Promised(venue, groups)
        self._arriving = Arriving(venue) if is_paced else None

    def add(self, booked: Standing) -> Iterator[tuple[Standing, Wrong]]:
        """Adds the booking; yields those that it makes too many, itself included. One may come more than once."""
        if not booked.occupies:
            return
        for place in booked.places if self._watched else ():
            for resource, leaf in self._claimed(place):
                units = units_needed(resource, leaf, place.party_size)
                yield from self._add_to(leaf, _Taken(claimed_span(leaf, booked.span), units, booked))
        yield from self._promised.add(booked)
        if self._arriving is not None:
            yield from self._arriving.add(booked)

    def _claimed(self, place: Standing) -> Iterator[tuple[Resource, Resource]]:
        """Yields the resources of the place, each with what it claims of those that are looked at."""
        for each in place.resource_ids:
            resource = self._venue.resources.get(each)
            for leaf in () if resource is None else resource.claimed:
                if resource is not None and leaf.id in self._watched:
                    yield resource, leaf

    def _add_to(self, leaf: Resource, new: _Taken) -> Iterator[tuple[Standing, Wrong]]:
        # Later bookings may have longer buffers, as those of a whole.
        since = new.booked.span.start - BUFFER_MAX
        there = [each for each in self._there.get(leaf.id, ()) if each.span.end > since]
        self._there[leaf.id] = [*there, new]
        near = [each for each in there if each.span.overlaps(new.span)]
        if sum(each.units for each in near) + new.units > leaf.units:
            wrong = Wrong(not_available(leaf), lambda: _too_close(leaf))
            yield from ((each, wrong) for each in _too_many([*near, new], leaf.units))


def _too_many(near: list[_Taken], units: int) -> Iterator[Standing]:
    """Yields the bookings at the instants at which more than that many units are taken."""
    there: list[_Taken] = []
    for each in sorted(near, key=lambda each: each.span):
        there = [other for other in there if other.span.end > each.span.start]
        there.append(each)
        if sum(other.units for other in there) > units:
            yield from (other.booked for other in there)


def leaf_rooms(venue: Venue) -> dict[UUID, frozenset[tuple[int, ...]]]:
    """Returns for each resource that can be claimed its units and buffers, and those with which wholes claim it."""
    found: dict[UUID, set[tuple[int, ...]]] = {}
    for resource in venue.resources.values():
        for leaf in resource.claimed:
            room = leaf.units, leaf.buffer_before_minutes, leaf.buffer_after_minutes
            found.setdefault(leaf.id, set()).add(room)
    return {id_: frozenset(each) for id_, each in found.items()}


def _too_close(resource: Resource) -> str:
    before, after = resource.buffer_before_minutes, resource.buffer_after_minutes
    if resource.units > 1:
        return f"{resource.name} has {resource.units} units, fewer than are booked at that time with their buffers."
    return (
        f"{resource.name} is booked again too soon for buffers of {before} minutes before and {after} after. "
        "Both bookings keep their times."
    )
