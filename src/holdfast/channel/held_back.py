"""What of a slot is held back, as the live picture shows it: until when from guests, and for whom. Pure.

It depends on the venue's rules and the time, not on bookings. Guests of the live picture have no groups and may come by
any source that is open to everybody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

from holdfast.channel.closed import usual_minutes_of
from holdfast.kernel.span import Span, merged
from holdfast.place.opening import hours, opened
from holdfast.place.policies.withhold import BEGINNING, PUBLIC, Ahead, held_back, kept_from
from holdfast.place.venue import Resource, Venue

SLOTS_CACHED_MAX = 1024
NEVER: Mapping[UUID, tuple[Span, ...]] = {}


@dataclass(frozen=True, slots=True)
class _Slot:
    """A cache key: a slot of a venue at one version of its rules."""

    venue_id: UUID
    version: int
    day: date
    span: Span
    venue: Venue = field(compare=False)


def kept_from_guests(venue: Venue, day: date, span: Span) -> Mapping[UUID, tuple[Span, ...]]:
    """Returns the times, in order, at which guests are kept from a resource for every visit of that slot of the opening
    day that is still to come. Resources that are never kept from them are left out."""
    if not venue.policy.held_back:
        return NEVER
    return _kept_from_guests(_Slot(venue.id, venue.rules_version, day, span, venue))


@lru_cache(maxsize=SLOTS_CACHED_MAX)
def _kept_from_guests(slot: _Slot) -> Mapping[UUID, tuple[Span, ...]]:
    kept = kept_from(slot.venue, PUBLIC)
    known: dict[object, tuple[Span, ...]] = {}
    found: dict[UUID, tuple[Span, ...]] = {}
    for each in slot.venue.resources.values() if kept else ():
        ahead = frozenset(kept[leaf.id] for leaf in each.claimed if leaf.id in kept)
        if ahead:
            like = ahead, opened.step_hours((each,)), usual_minutes_of(slot.venue, each)
            if like not in known:
                known[like] = tuple(_times_of(_starts_in(slot, each), ahead))
            found[each.id] = known[like]
    return found


def _times_of(starts: Sequence[datetime], ahead: Collection[Ahead]) -> Iterator[Span]:
    """Yields the times at which a guest can ask for none of the visits that start later, in order."""
    able = [
        gap
        for start in starts
        for gap in _gaps(Span(BEGINNING, start), merged(each.asked(start) for each in ahead))
    ]
    return _gaps(Span(BEGINNING, starts[-1]), merged(able))


def _gaps(whole: Span, out: Iterable[Span]) -> Iterator[Span]:
    """Yields what is left of the span. `out`: what is not, in order."""
    start = whole.start
    for each in out:
        if start < each.start:
            yield Span(start, min(each.start, whole.end))
        start = max(start, each.end)
    if start < whole.end:
        yield Span(start, whole.end)


def _starts_in(slot: _Slot, resource: Resource) -> list[datetime]:
    """Returns the starts of the visits that the slot is about: its own or, of a day without slots, all on the step."""
    venue = slot.venue
    if venue.stay is not None or venue.slots:
        return [slot.span.start]
    own, minutes = opened.step_hours((resource,)), usual_minutes_of(venue, resource)
    starts = hours.starts_of_day(venue, own, slot.day, duration_minutes=minutes)
    return sorted(each for each in starts if slot.span.holds(each)) or [slot.span.start]


def is_kept_from_guests(venue: Venue, resource_id: UUID, day: date, span: Span, *, now: datetime) -> bool:
    """Returns whether guests are kept from the resource at that instant, for all visits of the slot still to come."""
    return any(each.holds(now) for each in kept_from_guests(venue, day, span).get(resource_id, ()))


def held_for(venue: Venue, resource: Resource) -> list[str]:
    """Returns for whom the resource is held back: sources, and groups of guests."""
    held = held_back(venue)
    return sorted({rule.for_ for leaf in resource.claimed for rule in held.get(leaf.id, ())})
