"""Stays: the nights that a request asks for, and the venue's rules about them. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from holdfast.booking.model import Booking
from holdfast.booking.rules.nights import stay_at, wrong_count
from holdfast.booking.said import Began
from holdfast.booking.wanted import Prepared, Wanted, When
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.opening.clock import to_utc, to_wall
from holdfast.place.opening.nights import longest
from holdfast.place.opening.slot import slot_span
from holdfast.place.opening.stay import (
    Nights,
    arrival_of,
    check_out_on,
    nights_of,
    span_of,
)
from holdfast.place.venue import Venue

DAY = timedelta(days=1)


def as_stay(wanted: Wanted, venue: Venue, *, now: datetime | None = None) -> tuple[Wanted, Span]:
    """Returns the request with its nights, at a venue that sells nights, and its span. `now`: the start of a walk-in.
    Raises InvalidRequest, NonexistentLocalTime."""
    is_staff = wanted.actor.is_staff
    span, nights = time_of_stay(wanted.when, venue, is_staff=is_staff, now=now)
    kept = nights if is_staff and says_times(wanted.when) else None
    return replace(wanted, nights=nights, nights_kept=kept, length_asked=True), span


def stay_facts(wanted: Wanted) -> dict[str, Any]:
    """Returns what `rules.check_time` must know about a stay besides its span."""
    if wanted.nights is None:
        return {}
    return {"nights": wanted.nights, "kept": wanted.nights_kept, "is_staff": wanted.actor.is_staff}


def time_of_stay(
    when: When, venue: Venue, *, is_staff: bool, now: datetime | None = None
) -> tuple[Span, Nights]:
    """Returns the span of the requested stay, and its nights.

    Guests get whole nights, from check-in to check-out, also if they give a start and an end: every night that these
    touch. Staff may give the start and end of an early or late arrival or departure. `now`: the start of a walk-in.
    Raises InvalidRequest, NonexistentLocalTime.
    """
    stay, tz = stay_at(venue), venue.tz
    if when.slot_id is not None:
        assert when.day is not None
        slot_span(venue, when.day, when.slot_id)
        nights = Nights(when.day, 1)
        return span_of(stay, nights, tz), nights
    start = to_utc(when.wall, tz) if when.wall is not None else when.start or now
    if when.arrival is not None:
        nights = Nights(when.arrival, _count(when, when.arrival, venue))
        whole = span_of(stay, nights, tz)
        return (whole if now is None else _from_now(whole, nights, venue, now)), nights
    if start is None:
        raise InvalidRequest.of("arrival", None, "is required, with nights or departure")
    arrival = arrival_of(stay, start, tz)
    end = _end(when, start)
    if end is None:
        nights = Nights(arrival, _count(when, arrival, venue))
        end = check_out_on(stay, nights.departure, tz)
    nights = _nights(Span(start, end), venue)
    return (Span(start, end) if is_staff else span_of(stay, nights, tz)), nights


def revised_stay(when: When, before: Booking, venue: Venue, *, is_staff: bool) -> tuple[Span, Nights]:
    """Returns the span and nights of a stay after a change of its time; what the request leaves out stays.

    A new arrival keeps the number of nights. Times of the day that staff gave stay where the date stays.
    """
    stay, tz = stay_at(venue), venue.tz
    had = before.stay_nights or nights_of(stay, before.span, tz)
    if when.slot_id is not None:
        return time_of_stay(when, venue, is_staff=is_staff)
    start = to_utc(when.wall, tz) if when.wall is not None else when.start
    end = _end(when, start or before.start_at)
    if start is None and end is None:
        arrival = when.arrival or had.arrival
        nights = Nights(arrival, _count(when, arrival, venue, default=had.count))
        return _kept(span_of(stay, nights, tz), nights, before, had), nights
    start = start or before.start_at
    arrival = arrival_of(stay, start, tz)
    if end is None and arrival == had.arrival and when.nights is None and when.departure is None:
        end = before.end_at
    elif end is None:
        nights = Nights(arrival, _count(when, arrival, venue, default=had.count))
        end = check_out_on(stay, nights.departure, tz)
    nights = _nights(Span(start, end), venue)
    whole = span_of(stay, nights, tz)
    return (Span(start, end) if is_staff else _kept(whole, nights, before, had)), nights


def began_of(booking: Booking) -> Began | None:
    """Returns when the stay began, or will; None if it is none."""
    had = booking.stay_nights
    return None if had is None else Began(had.arrival, booking.start_at)


def begun(span: Span, nights: Nights, venue: Venue, *, now: datetime, began: Began | None = None) -> Span:
    """Returns what is left of a stay whose first night has begun: a guest who books tonight at ten has the room from
    then on. `began`: the stay that it would be instead of: it is left as it began, if it arrives on the same date."""
    if began is not None and began.arrival == nights.arrival and began.start < min(now, span.end):
        return Span(began.start, span.end)
    minute = now.replace(second=0, microsecond=0)
    over = check_out_on(stay_at(venue), nights.arrival + DAY, venue.tz)
    return Span(minute, span.end) if span.start < minute < min(over, span.end) else span


def from_now(prepared: Prepared, now: datetime) -> Prepared:
    """Returns the request for what is left of its stay, if it is for one whose first night has begun."""
    nights = prepared.wanted.nights
    if nights is None:
        return prepared
    asker = prepared.wanted.asked_by
    began = None if asker is None else asker.began
    span = begun(prepared.span, nights, prepared.venue, now=now, began=began)
    return prepared if span == prepared.span else prepared.at(span, prepared.slot_id)


def changed_from_now(prepared: Prepared, before: Booking, now: datetime) -> Prepared:
    """The same for a change: one that arrives on the same date as before keeps its time, whenever it began."""
    nights, had = prepared.wanted.nights, before.stay_nights
    if nights is None or (had is not None and had.arrival == nights.arrival):
        return prepared
    return from_now(prepared, now)


def says_times(when: When) -> bool:
    """Whether the request gives times of the day, and not nights alone. From staff they are the desk's decision, and
    the rules about nights don't apply."""
    return any(each is not None for each in (when.start, when.wall, when.end, when.duration_minutes))


def _count(when: When, arrival: date, venue: Venue, *, default: int = 1) -> int:
    count = when.nights or default
    if when.departure is not None:
        count = (when.departure - arrival).days
        if count < 1:
            raise InvalidRequest.of(
                "departure",
                str(when.departure),
                f"must be after the arrival, {arrival}: {arrival + DAY} or later",
            )
    _check_longest(Nights(arrival, count), venue)
    return count


def _nights(span: Span, venue: Venue) -> Nights:
    if span.end <= span.start:
        raise InvalidRequest.of(
            "end", span.end.isoformat(), f"must be after the start, {span.start.isoformat()}"
        )
    nights = nights_of(stay_at(venue), span, venue.tz)
    _check_longest(nights, venue)
    return nights


def _check_longest(nights: Nights, venue: Venue) -> None:
    # Whoever asks: lists of bookings look back no further than the longest one.
    if nights.count > longest(venue):
        raise wrong_count(nights, 1, longest(venue))


def _end(when: When, start: datetime) -> datetime | None:
    if when.duration_minutes is not None:
        return start + timedelta(minutes=when.duration_minutes)
    return when.end


def _kept(whole: Span, nights: Nights, before: Booking, had: Nights) -> Span:
    """Where a date stays, so does the time of the day: a late arrival, an early departure."""
    start = before.start_at if nights.arrival == had.arrival else whole.start
    return Span(start, before.end_at if nights.departure == had.departure else whole.end)


def _from_now(whole: Span, nights: Nights, venue: Venue, now: datetime) -> Span:
    """A walk-in has the room from now on. Its first night is the one under way, or that of today."""
    stay, today = stay_at(venue), to_wall(now, venue.tz).date()
    first = arrival_of(stay, now, venue.tz)
    if nights.arrival not in (first, today):
        allowed = f"{today}" if first == today else f"{first} or {today}"
        raise InvalidRequest.of("arrival", str(nights.arrival), f"must be {allowed}: a walk-in starts now")
    if whole.end <= now:
        raise InvalidRequest.of(
            "departure", str(nights.departure), f"must be after {today}: it is past check-out"
        )
    return Span(now, whole.end)
