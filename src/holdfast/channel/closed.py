"""When a resource can be booked in a slot, by the venue's rules alone. Pure.

The resources that nobody can book in it are closed. Nothing else decides that, neither bookings nor the time, so events
about a slot never contradict a snapshot of it. Guests can book the others from some time on until another: they need
notice, and can't book too far ahead, nor what is held back for others. They have no groups here, and may come by any
source that is open to everybody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from holdfast.kernel.span import Span, merged
from holdfast.place.opening import hours, opened
from holdfast.place.policies.withhold import PUBLIC, Ahead, kept_from
from holdfast.place.venue import Resource, Venue

SLOTS_CACHED_MAX = 1024
INSTANT = timedelta(microseconds=1)
NOBODY: frozenset[Ahead] = frozenset()
"""For whom a resource is held back: nobody else."""


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
    return _times_for_guests(
        _Slot(venue.id, venue.rules_version, day, span, venue), bool(venue.policy.held_back)
    )


def is_held_back(venue: Venue, resource_id: UUID, day: date, span: Span, *, now: datetime) -> bool:
    """Returns whether guests can't book the resource in that slot at that instant only because it is held back."""
    if not venue.policy.held_back:
        return False
    slot = _Slot(venue.id, venue.rules_version, day, span, venue)
    if is_time(_times_for_guests(slot, True)[resource_id], now):
        return False
    return is_time(_times_for_guests(slot, False)[resource_id], now)


def is_time(times: tuple[Span, ...], now: datetime) -> bool:
    """Returns whether guests can book at that instant."""
    return any(each.start <= now <= each.end for each in times)


@lru_cache(maxsize=SLOTS_CACHED_MAX)
def _times_for_guests(slot: _Slot, with_held_back: bool) -> Mapping[UUID, tuple[Span, ...]]:
    """`with_held_back`: whether what is held back for others counts."""
    kept = kept_from(slot.venue, PUBLIC) if with_held_back else {}
    known: dict[object, tuple[Span, ...]] = {}
    found: dict[UUID, tuple[Span, ...]] = {}
    for id_, starts in _starts_in(slot).items():
        ahead = NOBODY
        if kept:
            claimed = slot.venue.resources[id_].claimed
            ahead = frozenset(kept[leaf.id] for leaf in claimed if leaf.id in kept)
        if (starts, ahead) not in known:
            able = merged(_times_of(slot, starts, ahead))
            known[starts, ahead] = tuple(Span(each.start, each.end - INSTANT) for each in able)
        found[id_] = known[starts, ahead]
    return found


def _times_of(slot: _Slot, starts: tuple[datetime, ...], ahead: Collection[Ahead]) -> Iterator[Span]:
    """Yields when guests can make a booking with each of the starts, the ends not included."""
    policy = slot.venue.policy
    notice, advance = timedelta(minutes=policy.min_notice_minutes), timedelta(days=policy.max_advance_days)
    for start in starts:
        last = start - notice
        if slot.venue.stay is not None and not notice:
            last = slot.span.end - INSTANT  # a night is sold until it is over
        if start - advance <= last:
            able = Span(start - advance, last + INSTANT)
            yield from _gaps(able, merged(each.asked(start) for each in ahead)) if ahead else (able,)


def _gaps(whole: Span, out: tuple[Span, ...]) -> Iterator[Span]:
    """Yields what is left of the span. `out`: what is not, in order."""
    start = whole.start
    for each in out:
        if start < min(each.start, whole.end):
            yield Span(start, min(each.start, whole.end))
        start = max(start, each.end)
    if start < whole.end:
        yield Span(start, whole.end)


@lru_cache(maxsize=SLOTS_CACHED_MAX)
def _starts_in(slot: _Slot) -> Mapping[UUID, tuple[datetime, ...]]:
    known: dict[object, tuple[datetime, ...]] = {}
    found: dict[UUID, tuple[datetime, ...]] = {}
    for each in slot.venue.resources.values():
        minutes = usual_minutes_of(slot.venue, each)
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


def usual_minutes_of(venue: Venue, resource: Resource) -> int:
    """The length of a booking of the smallest party that gives none."""
    policy, size = venue.policy, max(resource.seats_min, 1)
    fitting = (each.minutes for each in policy.durations if size <= each.party_size_max)
    return next(fitting, policy.default_duration_minutes)
