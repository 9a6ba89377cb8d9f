"""The span of a requested time: when it starts, how long it lasts, and the lengths that may be asked for. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from holdfast.booking.deciding.sittings import is_slot_span
from holdfast.booking.deciding.wanted import When
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span, merged
from holdfast.place.opening import hours, slot
from holdfast.place.opening.clock import length_on_clock
from holdfast.place.policy import Policy
from holdfast.place.venue import Venue

DURATION_RULE = "DURATION_NOT_ALLOWED"
"""What staff name to overrule the lengths. The refusal is an INVALID_REQUEST like that of any value out of range."""


class DurationNotAllowed(InvalidRequest):
    """The venue takes no bookings of that length.

    Fields `errors`, `rule`, `usual_minutes`, `duration_minutes_min`, `duration_minutes_max`, `duration_step_minutes`,
    `guests_choose_duration`.
    """


def usual_minutes(policy: Policy, party_size: int) -> int:
    """Returns the usual length of a booking for that many guests, in minutes."""
    fitting = (each.minutes for each in policy.durations if party_size <= each.party_size_max)
    return next(fitting, policy.default_duration_minutes)


def check_asked(when: When, span: Span, venue: Venue, *, party_size: int, is_staff: bool) -> None:
    """Checks the length of a span that was asked for with a length or an end. Raises DurationNotAllowed.

    A start and an end, as suggestions and views show them, say two lengths where clocks change in between, on the clock
    and in minutes that pass: it is enough if one of them is right. The span of a slot is as long as it is.
    """
    if is_slot_span(venue, span):
        return
    try:
        check_length(span.duration, venue.policy, party_size=party_size, is_staff=is_staff)
    except DurationNotAllowed:
        if when.duration_minutes is not None:
            raise
        on_clock = length_on_clock(span, venue.tz)
        check_length(on_clock, venue.policy, party_size=party_size, is_staff=is_staff)


def check_length(length: timedelta, policy: Policy, *, party_size: int, is_staff: bool) -> None:
    """Checks a length that was asked for. The usual length of the party is always allowed; guests of a venue where
    they don't choose get no other. Raises DurationNotAllowed."""
    usual = usual_minutes(policy, party_size)
    minutes = length / timedelta(minutes=1)
    if minutes == usual:
        return
    if problem := _problem(minutes, policy, usual=usual, is_staff=is_staff):
        minutes = int(minutes)
        raise DurationNotAllowed(
            f"duration_minutes: {problem}",
            errors=[{"field": "duration_minutes", "value": minutes, "problem": problem}],
            rule=DURATION_RULE,
            usual_minutes=usual,
            duration_minutes_min=policy.duration_minutes_min,
            duration_minutes_max=policy.duration_minutes_max,
            duration_step_minutes=policy.duration_step_minutes,
            guests_choose_duration=policy.guests_choose_duration,
        )


def _problem(minutes: float, policy: Policy, *, usual: int, is_staff: bool) -> str | None:
    """Returns what is wrong with a length other than the usual one."""
    least, most, step = policy.duration_minutes_min, policy.duration_minutes_max, policy.duration_step_minutes
    if not policy.guests_choose_duration and not is_staff:
        return f"must be omitted or {usual}: a booking for that many guests lasts {usual} minutes here"
    if minutes < least:
        return f"must be at least {least} minutes here"
    if minutes > most:
        return f"must be at most {most} minutes here"
    if minutes % step:
        return f"must be a multiple of {step} minutes here, or the usual {usual}"
    return None


def timed(
    when: When, venue: Venue, *, party_size: int, now: datetime | None = None
) -> tuple[Span, str | None]:
    """Returns the requested span, and the slot's id if a slot was requested.

    `now`: the start of a walk-in that gives none. Raises InvalidRequest, NonexistentLocalTime.
    """
    if when.nights_said is not None:
        field, value = when.nights_said
        problem = "is for venues that sell nights: here, give start, or booking_date with booking_time"
        raise InvalidRequest.of(field, str(value), problem)
    if when.slot_id is not None:
        assert when.day is not None
        return slot.slot_span(venue, when.day, when.slot_id), when.slot_id
    start = when.start or now
    if when.wall is not None:
        start = hours.to_utc(when.wall, venue.tz)
    if start is None:
        raise InvalidRequest.of(
            "start", None, "is required (or booking_date with booking_time, or date with slot_id)"
        )
    end = when.end
    if end is None and when.wall_minutes is not None:
        end = hours.later(start, when.wall_minutes, venue.tz)
    elif end is None:
        end = start + timedelta(minutes=when.duration_minutes or usual_minutes(venue.policy, party_size))
    if end <= start:
        raise InvalidRequest.of("end", end.isoformat(), f"must be after the start, {start.isoformat()}")
    return Span(start, end), None


def until_closing(venue: Venue, span: Span) -> Span:
    """Ends the span at closing time if the venue closes before the usual length is over."""
    if hours.is_open(venue, None, span.start, span.end):
        return span
    day = hours.opening_day(venue, None, span.start)
    around = (hours.open_spans(venue, None, day + timedelta(days=n)) for n in (0, 1))
    opened = merged(each for spans in around for each in spans)  # adjacent spans become one
    return Span(span.start, min([span.end, *(each.end for each in opened if each.holds(span.start))]))
