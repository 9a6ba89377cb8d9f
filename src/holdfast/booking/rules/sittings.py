"""Venues where guests book only named slots. Pure."""

from __future__ import annotations

from datetime import timedelta

from holdfast.booking.rules.times import OffSlotStep
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.opening import hours
from holdfast.place.opening.opened import choices, is_open
from holdfast.place.opening.slot import SlotWindow, windows_on
from holdfast.place.venue import Venue

NEAREST_MAX = 2


def is_slots_only(venue: Venue, *, is_staff: bool) -> bool:
    """Returns whether these people can book nothing but slots here."""
    return venue.policy.starts == "slots" and not is_staff and venue.stay is None


def as_slot(
    venue: Venue, span: Span, slot_id: str | None, *, says_length: bool, is_staff: bool
) -> tuple[Span, str | None]:
    """Returns the span and the slot of a booking at a venue that books slots: a start that is exactly a slot's means
    that slot. Staff may book any other time.

    Raises OffSlotStep, with the slots around that time, and InvalidRequest for a length other than the slot's.
    """
    if slot_id is not None or venue.policy.starts == "any":
        return span, slot_id
    near = slots_near(venue, span)
    here = [each for each in near if each.span.start == span.start]
    for each in here:
        if not says_length or each.span == span:
            return each.span, each.id
    if is_staff:
        return span, None
    if here:
        length = int(here[0].span.duration / timedelta(minutes=1))
        asked = int(span.duration / timedelta(minutes=1))
        problem = f"must be omitted or {length}: the slot {here[0].id} has its own length"
        raise InvalidRequest.of("duration_minutes", asked, problem)
    raise _off(venue, span, near)


def slot_of(venue: Venue, span: Span) -> str | None:
    """Returns the slot that has exactly that span, at a venue where guests book slots; otherwise None."""
    if venue.policy.starts == "any":
        return None
    return next((each.id for each in slots_near(venue, span) if each.span == span), None)


def is_slot_span(venue: Venue, span: Span) -> bool:
    """Returns whether one of the venue's slots has exactly that span."""
    return bool(venue.slots) and any(each.span == span for each in slots_near(venue, span))


def slots_near(venue: Venue, span: Span) -> list[SlotWindow]:
    """Returns the slots of that opening day and of those around it, also where the venue is closed."""
    day = hours.opening_day(venue, None, span.start)
    return [each for n in (-1, 0, 1) for each in windows_on(venue, day + timedelta(days=n))]


def _off(venue: Venue, span: Span, near: list[SlotWindow]) -> OffSlotStep:
    able = choices(venue, [(each,) for each in venue.resources.values() if each.active])
    near = [each for each in near if any(is_open(venue, of, each.span) for of in able)]
    nearest = sorted(near, key=lambda each: (abs(each.span.start - span.start), each.span.start))[
        :NEAREST_MAX
    ]
    shown = [
        (each, each.span.start.astimezone(venue.tz).isoformat(timespec="minutes"))
        for each in sorted(nearest, key=lambda each: each.span)
    ]
    listing = " or ".join(f"{each.name} at {start}" for each, start in shown)
    return OffSlotStep(
        f"Only named slots can be booked here{f': try {listing}' if listing else ''}.",
        slot_step_minutes=None,
        nearest=[start for _, start in shown],
        nearest_slots=[{"slot_id": each.id, "start": start} for each, start in shown],
    )
