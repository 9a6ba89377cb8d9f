"""When a visit could start, by the venue's hours and steps. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from holdfast.kernel.span import Span
from holdfast.place import hours, slot
from holdfast.place.venue import Resource, Venue

Sets = Sequence[tuple[Resource, ...]]


def starts(venue: Venue, sets: Sets, *, minutes: int, within: Span) -> Iterator[datetime]:
    """Every start from `within.start` to `within.end`, both included, of a visit of that many minutes, in order.

    On the slot step from opening, that of the resource where only one set will do; or where a slot of
    exactly that length starts. Notice and how far ahead are not looked at, nor what is taken.
    """
    own = sets[0][0].hours if len(sets) == 1 else None
    first, last = hours.opening_day(venue, own, within.start), hours.opening_day(venue, own, within.end)
    # The day before may have openings that go on; one day's starts may come after the next one's first.
    days = [first + timedelta(days=n) for n in range(-1, (last - first).days + 2)]
    done = None
    for day in days:
        for start in _of_day(venue, sets, day, minutes=minutes):
            if within.start <= start <= within.end and (done is None or start > done):
                done = start
                yield start


def _of_day(venue: Venue, sets: Sets, day: date, *, minutes: int) -> list[datetime]:
    own = sets[0][0].hours if len(sets) == 1 else None
    found = set(hours.starts_of_day(venue, own, day, duration_minutes=minutes))
    if venue.slots:
        length = timedelta(minutes=minutes)
        found.update(each.span.start for each in slot.slots_on(venue, day) if each.span.duration == length)
    return sorted(found)
