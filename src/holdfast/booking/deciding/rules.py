"""The venue's rules on when and by whom it can be booked. Pure. Each refusal says what would be allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from holdfast.booking.deciding.override import Overruled, check_rule
from holdfast.booking.deciding.stays import check_nights, first_night, stay_at
from holdfast.booking.deciding.suggestible import Suggestible
from holdfast.booking.deciding.wanted import Wanted
from holdfast.kernel.errors import HoldfastError, Kind
from holdfast.kernel.span import Span, merged
from holdfast.place.opening import hours, opened
from holdfast.place.opening.stay import Nights, nights_of
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


class TooManyHolds(HoldfastError):
    """This guest or address already has as many open holds as the venue allows.

    Fields `holds_max`, `retry_after_seconds`.
    """

    kind = Kind.TOO_MANY
    code = "TOO_MANY_HOLDS"


def check_time(
    venue: Venue,
    resources: Sequence[Resource],
    span: Span,
    *,
    now: datetime,
    among: opened.Sets = (),
    walk_in: bool = False,
    slot_id: str | None = None,
    over: Overruled | None = None,
    **stay: Any,
) -> None:
    """Checks the span against the venue's opening hours, notice and slot step; a stay, against the rules about nights.

    `resources`: those that are booked, or none: then one of the sets `among` has to be open, on its own step.

    Slots are exempt from the slot step, walk-ins from step and notice. `stay`: as `stay_facts` has it. Raises TooSoon,
    TooFarAhead, OutsideOpeningHours, OffSlotStep, and what `check_nights` raises, unless `over` overrules them.
    """
    choices = (resources,) if resources else opened.choices(venue, among)
    if venue.stay is not None:
        _check_stay(venue, choices, span, now=now, walk_in=walk_in, over=over, **stay)
        return
    if not walk_in:
        check_rule(over, _check_notice, venue, choices, span, now=now)
    check_rule(over, _check_open, venue, choices, span)
    if not walk_in and slot_id is None:
        check_rule(over, _check_step, venue, choices, span, now=now)


def _check_stay(
    venue: Venue,
    choices: Choices,
    span: Span,
    *,
    now: datetime,
    walk_in: bool,
    over: Overruled | None,
    nights: Nights | None = None,
    kept: Nights | None = None,
    is_staff: bool = False,
) -> None:
    nights = nights or nights_of(stay_at(venue), span, venue.tz)
    first = first_night(venue, nights)
    # A night is sold until it is over; with notice, guests can't book one that has begun.
    late = first.holds(now) and (is_staff or not venue.policy.min_notice_minutes)
    if not walk_in:
        begins = Span(now if late else first.start, first.end)
        check_rule(over, _check_notice, venue, choices, begins, now=now, late=late)
    check_rule(over, _check_sold, venue, choices, nights)
    check_rule(over, check_nights, venue, nights, was=kept)


def _check_sold(venue: Venue, choices: Choices, nights: Nights) -> None:
    if any(all(hours.sells(venue, own, nights) for own in opened.hours_of(each)) for each in choices):
        return
    resources = [each for resource in choices[0] for each in resource.must_open]
    closed = next((each for each in resources if not hours.sells(venue, each.hours, nights)), None)
    own = None if closed is None else closed.hours
    day = next(day for day in nights.dates() if not hours.sells(venue, own, Nights(day, 1)))
    what = closed.name if closed is not None and own is not None and len(choices) == 1 else venue.name
    raise OutsideOpeningHours(
        f"{what} sells no night on {day}: choose nights before or after it.",
        opening_hours=[],
        closed_on=str(day),
    )


def _check_notice(venue: Venue, choices: Choices, span: Span, *, now: datetime, late: bool = False) -> None:
    policy = venue.policy
    earliest, latest = bounds(venue, now)
    if span.start < earliest and not late:
        earliest = _start_by(venue, choices, span, Span(earliest, earliest + SUGGESTED_WITHIN), last=False)
        raise TooSoon(
            f"This starts at {_local(span.start, venue)}, which is too soon: the earliest start is now "
            f"{_local(earliest, venue)} ({policy.min_notice_minutes} minutes' notice).",
            min_notice_minutes=policy.min_notice_minutes,
            earliest_start=_local(earliest, venue),
        )
    if span.start > latest:
        latest = _start_by(venue, choices, span, Span(latest - SUGGESTED_WITHIN, latest), last=True)
        raise TooFarAhead(
            f"This starts at {_local(span.start, venue)}: bookings open {policy.max_advance_days} days "
            f"ahead, so the latest start is now {_local(latest, venue)}.",
            max_advance_days=policy.max_advance_days,
            latest_start=_local(latest, venue),
        )


def bounds(venue: Venue, now: datetime) -> Span:
    """Returns the earliest and latest instants at which a booking made now may start."""
    policy = venue.policy
    return Span(
        now + timedelta(minutes=policy.min_notice_minutes), now + timedelta(days=policy.max_advance_days)
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


def _check_open(venue: Venue, choices: Choices, span: Span) -> None:
    if any(opened.is_open(venue, each, span) for each in choices):
        return
    if len(choices) > 1:
        raise _outside_all(venue, choices, span)
    resources = [each for resource in choices[0] for each in resource.must_open]
    closed = (each for each in resources if not hours.is_open(venue, each.hours, span.start, span.end))
    raise _outside(venue, next(closed, None), span)


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


def _check_step(venue: Venue, choices: Choices, span: Span, *, now: datetime) -> None:
    # Where none is open, which was overruled, any step will do.
    able = [each for each in choices if opened.is_open(venue, each, span)] or choices
    if any(opened.is_on_step(venue, each, span) for each in able):
        return
    day = hours.opening_day(venue, opened.step_hours(able[0]), span.start)
    earliest, latest = bounds(venue, now)
    starts = [start for start in _starts(venue, choices, day, span.duration) if earliest <= start <= latest]
    nearest = sorted(starts, key=lambda start: (abs(start - span.start), start))[:2]
    listing = " or ".join(_local(start, venue) for start in sorted(nearest))
    raise OffSlotStep(
        f"Bookings start every {venue.policy.slot_step_minutes} minutes"
        + (f": try {listing}." if listing else "; no start on that day leaves enough time."),
        slot_step_minutes=venue.policy.slot_step_minutes,
        nearest=[_local(start, venue) for start in sorted(nearest)],
    )


def check_holds(wanted: Wanted, venue: Venue, holds: Mapping[tuple[UUID, str], int]) -> None:
    """Raises TooManyHolds if another hold would exceed a quota. `holds`: the number of open holds by holder."""
    for who, most in hold_quotas(wanted, venue):
        if holds.get(who, 0) >= most:
            raise TooManyHolds(
                f"There are already {most} open holds for you here: confirm or cancel one, "
                f"or wait up to {venue.policy.hold_ttl_seconds} seconds for one to end.",
                holds_max=most,
                retry_after_seconds=venue.policy.hold_ttl_seconds,
            )


def hold_quotas(wanted: Wanted, venue: Venue) -> Iterator[tuple[tuple[UUID, str], int]]:
    """Yields the holders that a hold counts against, the guest and the IP address, each with its maximum.

    None for staff, who hold places for others all evening.
    """
    return iter(()) if wanted.actor.is_staff else hold_limits(wanted, venue)


def hold_limits(wanted: Wanted, venue: Venue) -> Iterator[tuple[tuple[UUID, str], int]]:
    if wanted.hold and wanted.guest.id is not None:
        yield (venue.tenant_id, f"guest:{wanted.guest.id}"), venue.policy.holds_per_guest_max
    if wanted.hold and wanted.ip is not None:
        yield (venue.tenant_id, f"ip:{wanted.ip}"), venue.policy.holds_per_ip_max


def _local(instant: datetime, venue: Venue) -> str:
    return instant.astimezone(venue.tz).isoformat(timespec="minutes")
