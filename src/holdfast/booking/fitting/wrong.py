"""What is wrong with a booking by the rules and resources of a venue. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from holdfast.assigning.choose import check_party
from holdfast.booking.deciding.prepare import check_time, usual_minutes
from holdfast.booking.fitting.nights import wrong_nights
from holdfast.booking.fitting.reasons import GONE, SLOT_CHANGED, TIMEZONE_CHANGED, Wrong, not_available
from holdfast.booking.fitting.standing import Standing
from holdfast.booking.rules import times
from holdfast.booking.rules.length import DURATION_RULE, check_asked
from holdfast.booking.rules.sittings import slot_of
from holdfast.booking.wanted import When
from holdfast.kernel.errors import HoldfastError
from holdfast.place.opening import hours, slot
from holdfast.place.venue import Resource, Venue


def wrongs(booked: Standing, venue: Venue) -> Iterator[Wrong]:
    """Yields every rule of the venue that the booking is against, apart from those on when it has to be made and those
    that depend on other bookings."""
    if booked.is_promised:  # all of one type are alike
        typed = (each for each in venue.resources.values() if each.group == booked.group and each.active)
        resources = [*islice(typed, 1)]
        if not resources:
            yield Wrong(GONE, lambda: _no_type_sentence(booked, venue))
    else:
        resources = _known(booked, venue)
        yield from _out_of_use(booked, venue, resources)
        for place in booked.places:
            yield from _mistyped(place, _known(place, venue))
    for place in booked.places:
        own = resources if place.is_promised else _known(place, venue)
        if own and (place.is_promised or len(own) == len(place.resource_ids)):
            yield from _wrong_party(place, venue, own)
    if venue.stay is not None:
        yield from wrong_nights(booked, venue, venue.stay, resources)
    else:
        yield from _wrong_time(booked, venue, resources)
    if booked.slot_id is not None and not _is_a_slot(booked, venue):
        yield Wrong(SLOT_CHANGED, lambda: _slot_sentence(booked, venue))
    if hours.to_wall(booked.span.start, venue.tz) != booked.local_start:
        yield Wrong(TIMEZONE_CHANGED, lambda: _timezone_sentence(booked, venue))


def _known(place: Standing, venue: Venue) -> list[Resource]:
    return [venue.resources[each] for each in place.resource_ids if each in venue.resources]


def _out_of_use(booked: Standing, venue: Venue, resources: list[Resource]) -> Iterator[Wrong]:
    unused = next((each for each in resources if not each.active), None)
    if unused is not None:
        yield Wrong(not_available(unused), lambda: f"{unused.name} is not in use.")
    elif len(resources) < len(booked.resource_ids):
        yield Wrong(GONE, lambda: f"{venue.name} no longer has its resources.")


def _mistyped(booked: Standing, resources: list[Resource]) -> Iterator[Wrong]:
    other = next((each for each in resources if booked.group not in (None, each.group)), None)
    if other is not None:
        detail = f"{other.name} is no longer of the type {booked.group}, which was booked."
        yield Wrong(not_available(other), lambda: detail)


def _no_type_sentence(booked: Standing, venue: Venue) -> str:
    return f"{venue.name} no longer has anything of the type {booked.group}, which was promised."


def _wrong_party(booked: Standing, venue: Venue, resources: list[Resource]) -> Iterator[Wrong]:
    try:
        check_party(venue, resources, booked.party_size)
    except HoldfastError as error:
        code, detail = error.code, error.detail
        yield Wrong(code, lambda: detail)


def _wrong_time(booked: Standing, venue: Venue, resources: list[Resource]) -> Iterator[Wrong]:
    span = booked.span
    for own in {opened.hours for each in resources for opened in each.must_open} or {None}:
        if not hours.is_open(venue, own, span.start, span.end):
            yield Wrong(times.OutsideOpeningHours.code, lambda: _hours_sentence(booked, venue, resources))
            break
    if booked.slot_id is None and booked.source != "walk_in":
        yield from _wrong_start(booked, venue, resources)
    yield from _wrong_length(booked, venue)


def _wrong_start(booked: Standing, venue: Venue, resources: list[Resource]) -> Iterator[Wrong]:
    starts = f"This one starts at {booked.local_start:%H:%M}."
    if venue.policy.starts == "slots" and slot_of(venue, booked.span) is None:
        rule = "Guests book named slots alone, and there is none at that time."
        yield Wrong(times.OffSlotStep.code, lambda: f"{rule} {starts}")
    elif not _is_on_step(booked, venue, resources):
        rule = f"Bookings start every {venue.policy.slot_step_minutes} minutes from opening."
        yield Wrong(times.OffSlotStep.code, lambda: f"{rule} {starts}")


def _wrong_length(booked: Standing, venue: Venue) -> Iterator[Wrong]:
    """A length that was asked for is checked as that of staff is. Another one, the usual one of its day, only has to be
    within the bounds: that of a slot is the slot's, and that of a walk-in may end at closing."""
    policy, length = venue.policy, booked.span.duration
    if not booked.length_asked:
        bounds = policy.duration_minutes_min, policy.duration_minutes_max
        least, most = (timedelta(minutes=each) for each in bounds)
        if booked.slot_id is not None or booked.source == "walk_in" or least <= length <= most:
            return
    try:
        usual = usual_minutes(policy, booked.party_size)
        check_asked(When(), booked.span, venue, usual=usual, is_staff=True)
    except HoldfastError as error:
        detail = error.detail
        yield Wrong(error.code, lambda: detail, DURATION_RULE)


def _hours_sentence(booked: Standing, venue: Venue, resources: list[Resource]) -> str:
    try:
        check_time(venue, resources, booked.span, now=booked.span.start, walk_in=True)
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
