"""The resources that nobody can book in a slot, by the venue's rules alone: they are closed. Pure.

Nothing else decides it, neither bookings nor the time, so events about a slot never contradict a snapshot of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from uuid import UUID

from holdfast.kernel.span import Span
from holdfast.place.opening import hours, opened
from holdfast.place.venue import Resource, Venue

SLOTS_CACHED_MAX = 1024


@dataclass(frozen=True, slots=True)
class _Slot:
    """A cache key: a slot of a venue at one version of its rules."""

    venue_id: UUID
    version: int
    day: date
    span: Span
    venue: Venue = field(compare=False)


def closed_in(venue: Venue, day: date, span: Span) -> frozenset[UUID]:
    """Returns the ids of the resources of which no booking can start in that slot of the opening day."""
    return _closed_in(_Slot(venue.id, venue.rules_version, day, span, venue))


@lru_cache(maxsize=SLOTS_CACHED_MAX)
def _closed_in(slot: _Slot) -> frozenset[UUID]:
    known: dict[object, bool] = {}
    found = set[UUID]()
    for each in slot.venue.resources.values():
        minutes = usual_minutes_of(slot.venue, each)
        like = frozenset(opened.hours_of((each,))), opened.step_hours((each,)), minutes
        if like not in known:
            known[like] = not _can_start(slot, each, timedelta(minutes=minutes))
        if known[like]:
            found.add(each.id)
    return frozenset(found)


def _can_start(slot: _Slot, resource: Resource, length: timedelta) -> bool:
    venue = slot.venue
    if venue.stay is not None or venue.slots:
        if opened.is_open(venue, (resource,), slot.span):
            return True
        if venue.stay is not None or venue.policy.starts == "slots":
            return False
    own, minutes = opened.step_hours((resource,)), int(length / timedelta(minutes=1))
    return any(
        slot.span.holds(start) and opened.is_open(venue, (resource,), Span(start, start + length))
        for start in hours.starts_of_day(venue, own, slot.day, duration_minutes=minutes)
    )


def usual_minutes_of(venue: Venue, resource: Resource) -> int:
    """The length of a booking of the smallest party that gives none."""
    policy, size = venue.policy, max(resource.seats_min, 1)
    fitting = (each.minutes for each in policy.durations if size <= each.party_size_max)
    return next(fitting, policy.default_duration_minutes)
