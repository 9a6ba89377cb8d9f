"""What is wrong with a stay by the rules of a venue that sells nights. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.booking.fitting.reasons import STAY_CHANGED, Wrong
from holdfast.booking.fitting.standing import Standing
from holdfast.booking.rules import times
from holdfast.booking.rules.nights import check_nights
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.span import Span
from holdfast.place.opening import hours
from holdfast.place.opening.stay import Nights, StayTimes, nights_of, span_of
from holdfast.place.venue import Resource, Venue


def wrong_nights(
    booked: Standing, venue: Venue, stay: StayTimes, resources: list[Resource]
) -> Iterator[Wrong]:
    """Yields the rules about nights that the booking is against: nights that are not sold, dates on which nobody comes
    or goes, how many there are, and the times at which guests come and go."""
    nights = booked.nights or nights_of(stay, booked.span, venue.tz)
    for own in {opened.hours for each in resources for opened in each.must_open} or {None}:
        if not hours.sells(venue, own, nights):
            yield Wrong(times.OutsideOpeningHours.code, lambda: _unsold_sentence(venue, nights))
            break
    try:
        check_nights(venue, nights)
    except HoldfastError as error:
        refused = error.detail
        yield Wrong(error.code, lambda: refused, type(error).__name__)
    if booked.nights is not None and booked.source != "walk_in":
        whole = span_of(stay, nights, venue.tz)
        if not whole.contains(booked.span):
            yield Wrong(STAY_CHANGED, lambda: _times_sentence(booked, stay, whole, nights))


def _unsold_sentence(venue: Venue, nights: Nights) -> str:
    return f"{venue.name} no longer sells all of its nights: {nights.arrival} to {nights.departure}."


def _times_sentence(booked: Standing, stay: StayTimes, whole: Span, nights: Nights) -> str:
    if booked.span.start < whole.start:
        said = f"Guests come from {stay.check_in} on {nights.arrival}, later than was agreed."
    else:
        said = f"Guests leave by {stay.check_out} on {nights.departure}, earlier than was agreed."
    return f"{said} The booking keeps its times."
