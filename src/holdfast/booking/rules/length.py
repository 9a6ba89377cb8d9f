"""The lengths that may be asked for. Pure."""

from __future__ import annotations

from datetime import timedelta

from holdfast.booking.rules.sittings import is_slot_span
from holdfast.booking.wanted import When
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span, merged
from holdfast.place.opening import hours
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


def check_asked(when: When, span: Span, venue: Venue, *, usual: int, is_staff: bool) -> None:
    """Checks the length of a span that was asked for with a length or an end. `usual`: as in `check_length`. Raises
    DurationNotAllowed.

    A start and an end, as suggestions and views show them, say two lengths where clocks change in between, on the clock
    and in minutes that pass: it is enough if one of them is right. The span of a slot is as long as it is.
    """
    if is_slot_span(venue, span):
        return
    try:
        check_length(span.duration, venue.policy, usual=usual, is_staff=is_staff)
    except DurationNotAllowed:
        if when.duration_minutes is not None:
            raise
        check_length(length_on_clock(span, venue.tz), venue.policy, usual=usual, is_staff=is_staff)


def check_length(length: timedelta, policy: Policy, *, usual: int, is_staff: bool) -> None:
    """Checks a length that was asked for. `usual`: that of the party, in minutes, which is always allowed; guests of a
    venue where they don't choose get no other. Raises DurationNotAllowed."""
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


def until_closing(venue: Venue, span: Span) -> Span:
    """Ends the span at closing time if the venue closes before the usual length is over."""
    if hours.is_open(venue, None, span.start, span.end):
        return span
    day = hours.opening_day(venue, None, span.start)
    around = (hours.open_spans(venue, None, day + timedelta(days=n)) for n in (0, 1))
    opened = merged(each for spans in around for each in spans)  # adjacent spans become one
    return Span(span.start, min([span.end, *(each.end for each in opened if each.holds(span.start))]))
