"""Slots: the named windows of a venue as instants."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.opening.hours import day_span, instant_of, open_spans
from holdfast.place.opening.spans import DAYS, Slot
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
    if not open_spans(venue, None, day):
        return ()
    if not venue.slots:
        return (SlotWindow(DAY_SLOT_ID, "Day", slot_span(venue, day, DAY_SLOT_ID)),)
    windows = (SlotWindow(each.id, each.name, _window(venue, day, each)) for each in running_on(venue, day))
    return tuple(sorted(windows, key=lambda window: (window.span, window.id)))


def slot_span(venue: Venue, day: date, slot_id: str) -> Span:
    """Returns the span of a slot on an opening day.

    The slot `day` of a venue without slots lasts from the first opening to the last closing. On a closed day it lasts
    from local midnight to midnight, so that bookings from before it was closed can still be shown. Raises
    `InvalidRequest` for a slot that the venue does not have on that day of the week.
    """
    if not venue.slots and slot_id == DAY_SLOT_ID:
        opened = open_spans(venue, None, day)
        return Span(opened[0].start, max(each.end for each in opened)) if opened else day_span(day, venue.tz)
    running = {each.id: each for each in running_on(venue, day)}
    if slot_id not in running:
        allowed = ", ".join(running) or ("none" if venue.slots else DAY_SLOT_ID)
        raise InvalidRequest.of("slot_id", slot_id, f"must be a slot that runs on {day}: {allowed}")
    return _window(venue, day, running[slot_id])


def running_on(venue: Venue, day: date) -> tuple[Slot, ...]:
    """The venue's slots of that day of the week."""
    return tuple(each for each in venue.slots if DAYS[day.weekday()] in each.days)


def _window(venue: Venue, day: date, slot: Slot) -> Span:
    start = instant_of(datetime.combine(day, time.fromisoformat(slot.start)), venue.tz)
    return Span(start, start + timedelta(minutes=slot.minutes))
