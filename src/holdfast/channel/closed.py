"""When a resource can be booked in a slot, by the venue's rules alone. Pure.

The resources that nobody can book in it are closed. Nothing else decides that, neither bookings nor the time, so events
about a slot never contradict a snapshot of it. Guests can book the others from some time on until another: they need
notice, and can't book too far ahead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from holdfast.kernel.span import Span, merged
from holdfast.place.opening import hours, opened
from holdfast.place.venue import Resource, Venue

SLOTS_CACHED_MAX = 1024
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Slot:
    """A cache key: a slot of a venue at one version of its rules."""

    venue_id: UUID
    version: int
    day: date
    span: Span
    venue: Venue = field(compare=False)


def closed_in(venue: Venue, day: date, span: Span) -> frozenset[UUID]:
    """Returns the ids of the resources of which nobody can make a booking that is in that slot of the opening day."""
    starts = _starts_in(_Slot(venue.id, venue.rules_version, day, span, venue))
    return frozenset(id_ for id_, each in starts.items() if not each)


def times_for_guests(venue: Venue, day: date, span: Span) -> Mapping[UUID, tuple[Span, ...]]:
    """Returns for each resource when guests can book it in that slot of the opening day, in order; both ends included.
    Mostly it is one span; none for what is closed."""
    return _times_for_guests(_Slot(venue.id, venue.rules_version, day, span, venue))


def is_time(times: tuple[Span, ...], now: datetime) -> bool:
    """Returns whether guests can book at that instant."""
    return any(each.start <= now <= each.end for each in times)


@lru_cache(maxsize=SLOTS_CACHED_MAX)
def _times_for_guests(slot: _Slot) -> Mapping[UUID, tuple[Span, ...]]:
    known: dict[tuple[datetime, ...], tuple[Span, ...]] = {}
    found: dict[UUID, tuple[Span, ...]] = {}
    for id_, starts in _starts_in(slot).items():
        if starts not in known:
            known[starts] = merged(_times_of(slot, starts))
        found[id_] = known[starts]
    return found


def _times_of(slot: _Slot, starts: tuple[datetime, ...]) -> Iterator[Span]:
    """Yields when guests can make a booking with each of the starts."""
    policy = slot.venue.policy
    notice, advance = timedelta(minutes=policy.min_notice_minutes), timedelta(days=policy.max_advance_days)
    for start in starts:
        last = start - notice
        if slot.venue.stay is not None and not notice:
            last = slot.span.end - INSTANT  # a night is sold until it is over
        if start - advance <= last:
            yield Span(start - advance, last)


@lru_cache(maxsize=SLOTS_CACHED_MAX)
def _starts_in(slot: _Slot) -> Mapping[UUID, tuple[datetime, ...]]:
    known: dict[object, tuple[datetime, ...]] = {}
    found: dict[UUID, tuple[datetime, ...]] = {}
    for each in slot.venue.resources.values():
        minutes = _usual_minutes(slot.venue, each)
        like = frozenset(opened.hours_of((each,))), opened.step_hours((each,)), minutes
        if like not in known:
            known[like] = tuple(sorted({*_starts_of(slot, each, timedelta(minutes=minutes))}))
        found[each.id] = known[like]
    return found


def _starts_of(slot: _Slot, resource: Resource, length: timedelta) -> Iterator[datetime]:
    """Yields the starts of bookings that are in the slot from start to end: of the slot itself, and of usual length.

    What lasts longer than the slot may be taken after it, which the state of the slot does not say.
    """
    venue = slot.venue
    is_slot = venue.stay is not None or venue.slots or venue.policy.starts == "slots"
    if is_slot and opened.is_open(venue, (resource,), slot.span):
        yield slot.span.start
    if venue.stay is not None or venue.policy.starts == "slots":
        return
    own, minutes = opened.step_hours((resource,)), int(length / timedelta(minutes=1))
    for start in hours.starts_of_day(venue, own, slot.day, duration_minutes=minutes):
        span = Span(start, start + length)
        if slot.span.contains(span) and opened.is_open(venue, (resource,), span):
            yield start


def _usual_minutes(venue: Venue, resource: Resource) -> int:
    """The length of a booking of the smallest party that gives none."""
    policy, size = venue.policy, max(resource.seats_min, 1)
    fitting = (each.minutes for each in policy.durations if size <= each.party_size_max)
    return next(fitting, policy.default_duration_minutes)
