"""Which resources are open in a slot, and from when bookings of them can be. Pure.

What is open in no part of a slot is closed. Nothing else decides that, neither bookings nor the time, so events about a
slot never contradict a snapshot of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from holdfast.channel.slots import DatedSlot
from holdfast.kernel.span import Span
from holdfast.place.opening import hours, opened
from holdfast.place.venue import Resource, Venue, VenueKey

SLOTS_CACHED_MAX = 1024


class Begin(NamedTuple):
    """When a booking can begin. `slot_id`: of the slot that it is a booking of; None if of none."""

    at: datetime
    slot_id: str | None = None


Begins = Mapping[UUID, tuple[Begin, ...]]
"""When bookings of each resource can begin, in order."""


@dataclass(frozen=True, slots=True)
class OfVenue:
    """A cache key: a slot of a venue at one version of its rules."""

    key: VenueKey
    slot: DatedSlot

    @property
    def venue(self) -> Venue:
        return self.key.venue

    @classmethod
    def of(cls, venue: Venue, slot: DatedSlot) -> OfVenue:
        return cls(VenueKey.of(venue), slot)


def closed_in(venue: Venue, slot: DatedSlot) -> frozenset[UUID]:
    """Returns the ids of the resources of which nobody can make a booking that is in the slot."""
    return frozenset(id_ for id_, begins in begins_in(venue, slot).items() if not begins)


def begins_in(venue: Venue, slot: DatedSlot) -> Begins:
    """Returns when bookings begin that are in the slot from start to end: of the slot itself, and of usual length.

    What lasts longer than the slot may be taken after it, which the state of the slot does not say.
    """
    return _begins_in(OfVenue.of(venue, slot))


def guests_begin_in(venue: Venue, slot: DatedSlot) -> Begins:
    """Returns the same for guests. Where nights are sold, they can't arrive if the shortest stay that may arrive then
    has a night on which the resource is closed."""
    return begins_in(venue, slot) if venue.stay is None else _arrivals_in(OfVenue.of(venue, slot))


@lru_cache(maxsize=SLOTS_CACHED_MAX)
def _arrivals_in(key: OfVenue) -> Begins:
    stay = key.slot.stay
    return {
        id_: begins
        if stay is not None and opened.is_open(key.venue, (key.venue.resources[id_],), stay)
        else ()
        for id_, begins in _begins_in(key).items()
    }


@lru_cache(maxsize=SLOTS_CACHED_MAX)
def _begins_in(key: OfVenue) -> Begins:
    known: dict[object, tuple[Begin, ...]] = {}
    found: dict[UUID, tuple[Begin, ...]] = {}
    for each in key.venue.resources.values():
        minutes = usual_minutes_of(key.venue, each)
        like = frozenset(opened.hours_of((each,))), opened.step_hours((each,)), minutes
        if like not in known:
            begins = {*_begins_of(key.venue, key.slot, each, timedelta(minutes=minutes))}
            known[like] = tuple(sorted(begins, key=lambda begin: (begin.at, begin.slot_id or "")))
        found[each.id] = known[like]
    return found


def _begins_of(venue: Venue, slot: DatedSlot, resource: Resource, length: timedelta) -> Iterator[Begin]:
    is_slot = venue.stay is not None or venue.slots or venue.policy.starts == "slots"
    if is_slot and opened.is_open(venue, (resource,), slot.span):
        yield Begin(slot.span.start, slot.id if venue.stay is None else None)
    if venue.stay is not None or venue.policy.starts == "slots":
        return
    own, minutes = opened.step_hours((resource,)), int(length / timedelta(minutes=1))
    for start in hours.starts_of_day(venue, own, slot.day, duration_minutes=minutes):
        span = Span(start, start + length)
        if slot.span.contains(span) and opened.is_open(venue, (resource,), span):
            yield Begin(start)


def usual_minutes_of(venue: Venue, resource: Resource) -> int:
    """The length of a booking of the smallest party that gives none."""
    policy, size = venue.policy, smallest_party(resource)
    fitting = (each.minutes for each in policy.durations if size <= each.party_size_max)
    return next(fitting, policy.default_duration_minutes)


def smallest_party(resource: Resource) -> int:
    """The smallest party that the resource seats."""
    return max(resource.seats_min, 1)
