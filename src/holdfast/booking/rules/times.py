"""Refusals of times by the venue's rules. Pure. Each says what would be allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from holdfast.booking.rules.suggestible import Suggestible
from holdfast.kernel.errors import HoldfastError, Kind
from holdfast.kernel.span import Span, merged
from holdfast.place.opening import hours, opened
from holdfast.place.venue import Resource, Venue

Choices = Sequence[Sequence[Resource]]
"""Sets of resources, at least one, that differ in when they are open. An empty one stands for the venue."""
NEXT_OPEN_DAYS = 62
"""How far to look for a day on which a venue opens again."""
SUGGESTED_WITHIN = timedelta(days=7)
"""How far from the earliest or latest allowed instant to look for an actual start to suggest."""


class OutsideOpeningHours(Suggestible):
    """The venue is not open for all of that time. Fields: `opening_hours`, the open spans of that day; `closed_for`,
    the name of the day if it has hours of its own, such as a holiday; `next_open_day`, where it is closed all day."""

    kind = Kind.INVALID
    code = "OUTSIDE_OPENING_HOURS"


class OffSlotStep(HoldfastError):
    """Bookings must start on the venue's slot step. Fields `slot_step_minutes`, `nearest`."""

    kind = Kind.INVALID
    code = "OFF_SLOT_STEP"


class TooSoon(HoldfastError):
    """The venue needs more notice. Fields `min_notice_minutes`, `earliest_start`."""

    kind = Kind.INVALID
    code = "TOO_SOON"


class TooFarAhead(HoldfastError):
    """The venue does not take bookings that far ahead. Fields `max_advance_days`, `latest_start`."""

    kind = Kind.INVALID
    code = "TOO_FAR_AHEAD"


def too_soon(venue: Venue, choices: Choices, span: Span, earliest: datetime) -> TooSoon:
    """Returns the refusal. `earliest`: the first instant at which a booking may start."""
    earliest = _start_by(venue, choices, span, Span(earliest, earliest + SUGGESTED_WITHIN), last=False)
    notice = venue.policy.min_notice_minutes
    return TooSoon(
        f"This starts at {_local(span.start, venue)}, which is too soon: the earliest start is now "
        f"{_local(earliest, venue)} ({notice} minutes' notice).",
        min_notice_minutes=notice,
        earliest_start=_local(earliest, venue),
    )


def too_far_ahead(venue: Venue, choices: Choices, span: Span, latest: datetime) -> TooFarAhead:
    """Returns the refusal. `latest`: the last instant at which a booking may start."""
    latest = _start_by(venue, choices, span, Span(latest - SUGGESTED_WITHIN, latest), last=True)
    days = venue.policy.max_advance_days
    return TooFarAhead(
        f"This starts at {_local(span.start, venue)}: bookings open {days} days "
        f"ahead, so the latest start is now {_local(latest, venue)}.",
        max_advance_days=days,
        latest_start=_local(latest, venue),
    )


def _start_by(venue: Venue, choices: Choices, span: Span, within: Span, *, last: bool) -> datetime:
    """Returns the first or last start in `within` that the venue's hours and step allow for a stay as long as `span`.

    If there is none: the bound itself, rounded inwards to a whole minute.
    """
    bound = within.end if last else within.start
    day = hours.opening_day(venue, opened.step_hours(choices[0]), bound)
    order = -1 if last else 1
    for offset in range(-1, SUGGESTED_WITHIN.days + 1):
        starts = _starts(venue, choices, day + offset * order * timedelta(days=1), span.duration)
        for start in starts[::order]:
            if within.start <= start <= within.end:
                return start
    minute = bound.replace(second=0, microsecond=0)
    return minute if last or minute == bound else minute + timedelta(minutes=1)


def _starts(venue: Venue, choices: Choices, day: date, duration: timedelta) -> Sequence[datetime]:
    """Returns the starts of an opening day, on the step, from which one of the choices is open for that long."""
    minutes = math.ceil(duration.total_seconds() / 60)
    found = {
        start
        for each in choices
        for start in hours.starts_of_day(venue, opened.step_hours(each), day, duration_minutes=minutes)
        if opened.is_open(venue, each, Span(start, start + duration))
    }
    return sorted(found)


def outside(venue: Venue, choices: Choices, span: Span) -> OutsideOpeningHours:
    """Returns the refusal of a span during which none of the choices is open throughout."""
    if len(choices) > 1:
        return _outside_all(venue, choices, span)
    resources = [each for resource in choices[0] for each in resource.must_open]
    closed = (each for each in resources if not hours.is_open(venue, each.hours, span.start, span.end))
    return _outside(venue, next(closed, None), span)


def _outside_all(venue: Venue, choices: Choices, span: Span) -> OutsideOpeningHours:
    owned = dict.fromkeys(own for each in choices for own in opened.hours_of(each))
    days = {hours.opening_day(venue, own, span.start) for own in owned}
    spans = merged(
        sorted(each for own in owned for day in days for each in hours.open_spans(venue, own, day))
    )
    return _closed(venue, venue.name, min(days), spans, span)


def _outside(venue: Venue, resource: Resource | None, span: Span) -> OutsideOpeningHours:
    own = None if resource is None else resource.hours
    day = hours.opening_day(venue, own, span.start)
    what = resource.name if resource is not None and own is not None else venue.name
    return _closed(venue, what, day, hours.open_spans(venue, own, day), span)


def _closed(venue: Venue, what: str, day: date, spans: Iterable[Span], span: Span) -> OutsideOpeningHours:
    name, following = _name_of(venue, day), None
    on = f"{day} ({name})" if name else f"{day}"
    listed = [{"open": _local(each.start, venue), "close": _local(each.end, venue)} for each in spans]
    listing = ", ".join(f"{each['open']} to {each['close']}" for each in listed) or "closed"
    detail = f"{what} is not open for all of {_local(span.start, venue)} to {_local(span.end, venue)}. "
    detail += f"Open on {on}: {listing}."
    if not listed:
        following = _next_open(venue, day)
        detail += f" The next open day is {following}." if following else ""
    return OutsideOpeningHours(
        detail, opening_hours=listed, closed_for=name, next_open_day=following and str(following)
    )


def _name_of(venue: Venue, day: date) -> str | None:
    """Returns the name of the day's exception, such as that of a holiday."""
    return next((each.name for each in venue.hours.exceptions if each.date == day), None)


def _next_open(venue: Venue, day: date) -> date | None:
    """Returns the next day on which the venue opens, within NEXT_OPEN_DAYS."""
    after = (day + timedelta(days=n) for n in range(1, NEXT_OPEN_DAYS + 1))
    return next((each for each in after if hours.open_spans(venue, None, each)), None)


def off_step(venue: Venue, choices: Choices, span: Span, within: Span) -> OffSlotStep:
    """Returns the refusal, with the nearest starts. `within`: from the first instant to the last at which a booking may
    start."""
    day = hours.opening_day(venue, opened.step_hours(choices[0]), span.start)
    starts = _starts(venue, choices, day, span.duration)
    starts = [start for start in starts if within.start <= start <= within.end]
    nearest = sorted(sorted(starts, key=lambda start: (abs(start - span.start), start))[:2])
    step, listing = venue.policy.slot_step_minutes, " or ".join(_local(start, venue) for start in nearest)
    return OffSlotStep(
        f"Bookings start every {step} minutes"
        + (f": try {listing}." if listing else "; no start on that day leaves enough time."),
        slot_step_minutes=step,
        nearest=[_local(start, venue) for start in nearest],
    )


def _local(instant: datetime, venue: Venue) -> str:
    return instant.astimezone(venue.tz).isoformat(timespec="minutes")
