"""Slots: the named windows of a venue as instants.

A slot belongs to an opening day. It starts at its wall time on that day, or on the next one where only the part of the
day's opening after midnight has that time: at a venue open from 22:00 to 04:00, the slot of 00:30 on Friday is part of
Friday night. Its minutes are those of the clock, so it ends at the same wall time on every night.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.opening.clock import day_span, instant_of, midnight_of
from holdfast.place.opening.hours import open_spans
from holdfast.place.opening.spans import DAY_MINUTES, DAYS, Slot, minutes_of
from holdfast.place.opening.stay import Nights, span_of
from holdfast.place.venue import Venue

DAY_SLOT_ID = "day"
"""The only slot of a venue that defines none."""


class SlotWindow(NamedTuple):
    """A slot on one opening day."""

    id: str
    name: str
    span: Span


def slots_on(venue: Venue, day: date) -> tuple[SlotWindow, ...]:
    """Returns the slots of an opening day, ordered by start; none if the venue is closed on that day."""
    return windows_on(venue, day) if open_spans(venue, None, day) else ()


def windows_on(venue: Venue, day: date) -> tuple[SlotWindow, ...]:
    """Returns the slots of an opening day, ordered by start, also if the venue is closed: resources with hours of their
    own may be open."""
    if not venue.slots:
        return (SlotWindow(DAY_SLOT_ID, "Day", slot_span(venue, day, DAY_SLOT_ID)),)
    windows = (SlotWindow(each.id, each.name, _window(venue, day, each)) for each in running_on(venue, day))
    return tuple(sorted(windows, key=lambda window: (window.span, window.id)))


def slot_span(venue: Venue, day: date, slot_id: str) -> Span:
    """Returns the span of a slot on an opening day.

    The slot `day` of a venue without slots lasts from the first opening to the last closing of anything there; where
    nights are sold it is the night of that date. On a closed day it lasts from local midnight to midnight, so that
    bookings from before it was closed can still be shown. Raises `InvalidRequest` for a slot that the venue does not
    have on that day of the week.
    """
    if not venue.slots and slot_id == DAY_SLOT_ID:
        if venue.stay is not None:
            return span_of(venue.stay, Nights(day, 1), venue.tz)
        own = (
            {each.hours for each in venue.resources.values() if each.active} if venue.has_own_hours else set()
        )
        opened = sorted(span for each in {None, *own} for span in open_spans(venue, each, day))
        return Span(opened[0].start, max(each.end for each in opened)) if opened else day_span(day, venue.tz)
    running = {each.id: each for each in running_on(venue, day)}
    if slot_id not in running:
        allowed = ", ".join(running) or ("none" if venue.slots else DAY_SLOT_ID)
        raise InvalidRequest.of("slot_id", slot_id, f"must be a slot that runs on {day}: {allowed}")
    return _window(venue, day, running[slot_id])


def running_on(venue: Venue, day: date) -> tuple[Slot, ...]:
    """The venue's slots of that day of the week, without those that are completely in a gap when clocks go forward."""
    of_day = (each for each in venue.slots if DAYS[day.weekday()] in each.days)
    return tuple(each for each in of_day if not _is_skipped(_window(venue, day, each)))


def wall_start(venue: Venue, day: date, slot: Slot) -> datetime:
    """Returns the wall time at which the slot of that opening day starts, perhaps after midnight.

    What counts is the day's own hours; on a day that is closed or has other hours, its usual ones.
    """
    start = minutes_of(slot.start)
    for spans in (venue.hours.spans_on(day), venue.hours.usual_on(day)):
        for at in (start, start + DAY_MINUTES):
            if any(opens <= at < closes for opens, closes in (each.minutes for each in spans)):
                return midnight_of(day) + timedelta(minutes=at)
    return midnight_of(day) + timedelta(minutes=start)


def _window(venue: Venue, day: date, slot: Slot) -> Span:
    start = wall_start(venue, day, slot)
    return Span(instant_of(start, venue.tz), instant_of(start + timedelta(minutes=slot.minutes), venue.tz))


def _is_skipped(window: Span) -> bool:
    return window.start == window.end
