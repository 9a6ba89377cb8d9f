"""What is wrong with a booking by the rules and resources of a venue. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

from holdfast.assigning.choose import check_party
from holdfast.booking.deciding import rules
from holdfast.booking.deciding.length import check_asked
from holdfast.booking.deciding.wanted import When
from holdfast.booking.fitting.standing import Standing
from holdfast.kernel.errors import HoldfastError
from holdfast.place.opening import hours, slot
from holdfast.place.venue import Resource, Venue

GONE = "RESOURCE_NOT_AVAILABLE"
"""The venue does not know the resource, nor its kind."""
SLOT_CHANGED, TIMEZONE_CHANGED = "SLOT_CHANGED", "TIMEZONE_CHANGED"
"""Reasons that no refusal has: the slot is gone or has another time, or the wall time is another one."""


class Wrong(NamedTuple):
    """Why the venue would not take the booking now. `detail`: returns one sentence; making it takes long."""

    reason: str
    detail: Callable[[], str]


def wrongs(booked: Standing, venue: Venue) -> Iterator[Wrong]:
    """Yields every rule of the venue that the booking is against, apart from those on when it has to be made and those
    that depend on other bookings."""
    resources = [venue.resources[each] for each in booked.resource_ids if each in venue.resources]
    yield from _out_of_use(booked, venue, resources)
    if resources and len(resources) == len(booked.resource_ids):
        yield from _wrong_party(booked, venue, resources)
    yield from _wrong_time(booked, venue, resources)
    if booked.slot_id is not None and not _is_a_slot(booked, venue):
        yield Wrong(SLOT_CHANGED, lambda: _slot_sentence(booked, venue))
    if hours.to_wall(booked.span.start, venue.tz) != booked.local_start:
        yield Wrong(TIMEZONE_CHANGED, lambda: _timezone_sentence(booked, venue))


def _out_of_use(booked: Standing, venue: Venue, resources: list[Resource]) -> Iterator[Wrong]:
    unused = next((each for each in resources if not each.active), None)
    if unused is not None:
        yield Wrong(not_available(unused), lambda: f"{unused.name} is not in use.")
    elif len(resources) < len(booked.resource_ids):
        yield Wrong(GONE, lambda: f"{venue.name} no longer has its resources.")


def not_available(resource: Resource) -> str:
    """Returns the code of refusals because the resource is taken or out of use."""
    return f"{resource.kind.upper()}_NOT_AVAILABLE"


def _wrong_party(booked: Standing, venue: Venue, resources: list[Resource]) -> Iterator[Wrong]:
    try:
        check_party(venue, resources, booked.party_size)
    except HoldfastError as error:
        code, detail = error.code, error.detail
        yield Wrong(code, lambda: detail)


def _wrong_time(booked: Standing, venue: Venue, resources: list[Resource]) -> Iterator[Wrong]:
    span, policy = booked.span, venue.policy
    for own in {opened.hours for each in resources for opened in each.must_open} or {None}:
        if not hours.is_open(venue, own, span.start, span.end):
            yield Wrong(rules.OutsideOpeningHours.code, lambda: _hours_sentence(booked, venue, resources))
            break
    if booked.slot_id is None and booked.source != "walk_in" and not _is_on_step(booked, venue, resources):
        step = f"Bookings start every {policy.slot_step_minutes} minutes from opening."
        yield Wrong(rules.OffSlotStep.code, lambda: f"{step} This one starts at {booked.local_start:%H:%M}.")
    if booked.length_asked:
        yield from _wrong_length(booked, venue)


def _wrong_length(booked: Standing, venue: Venue) -> Iterator[Wrong]:
    try:
        check_asked(When(), booked.span, venue, party_size=booked.party_size, is_staff=True)
    except HoldfastError as error:
        code, detail = error.code, error.detail
        yield Wrong(code, lambda: detail)


def _hours_sentence(booked: Standing, venue: Venue, resources: list[Resource]) -> str:
    try:
        rules.check_time(venue, resources, booked.span, now=booked.span.start, walk_in=True)
    except HoldfastError as error:
        return error.detail
    return f"{venue.name} is not open at that time."


def _is_on_step(booked: Standing, venue: Venue, resources: list[Resource]) -> bool:
    own = resources[0].hours if resources else None
    start = booked.span.start
    if hours.aligned(venue, own, start):
        return True
    day = hours.opening_day(venue, own, start)
    return any(each.span == booked.span for each in slot.slots_on(venue, day))


def _is_a_slot(booked: Standing, venue: Venue) -> bool:
    # An opening day may begin on the evening before, and a slot after midnight belongs to it.
    day = booked.local_start.date()
    return any(
        each.id == booked.slot_id and each.span == booked.span
        for around in (day, day - timedelta(days=1))
        for each in slot.slots_on(venue, around)
    )


def _slot_sentence(booked: Standing, venue: Venue) -> str:
    if any(each.id == booked.slot_id for each in venue.slots):
        return f"The slot {booked.slot_id} runs at other times now. The booking keeps its own."
    return f"There is no slot {booked.slot_id} any more. The booking keeps its time."


def _timezone_sentence(booked: Standing, venue: Venue) -> str:
    wall = hours.to_wall(booked.span.start, venue.tz)
    return (
        f"It was booked for {booked.local_start:%Y-%m-%d %H:%M} in {booked.timezone} and keeps that time, "
        f"which is {wall:%Y-%m-%d %H:%M} in {venue.timezone}."
    )
