"""When a venue is open: its rules are in wall time, and `clock.py` converts them to instants."""

from __future__ import annotations

import math
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from holdfast.kernel.span import Span, merged
from holdfast.place.opening import stay
from holdfast.place.opening.clock import (
    NonexistentLocalTime,
    day_span,
    instant_of,
    later,
    midnight_of,
    minutes_between,
    to_utc,
    to_wall,
)
from holdfast.place.opening.spans import Hours, HoursText
from holdfast.place.venue import Venue

__all__ = [
    "NonexistentLocalTime",
    "Opening",
    "WallSpan",
    "aligned",
    "day_span",
    "instant_of",
    "is_open",
    "later",
    "minutes_between",
    "open_spans",
    "opening_day",
    "openings",
    "sells",
    "starts_of_day",
    "steps",
    "to_utc",
    "to_wall",
]

DAYS_CACHED_MAX = 8192
"""How many computed opening days this process caches, over all venues."""

CLOCKS_BACK_MAX = timedelta(hours=3)
"""No zone puts its clocks back by more."""
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)


class WallSpan(NamedTuple):
    """`[start, end)` in the venue's wall time: naive."""

    start: datetime
    end: datetime


class Opening(NamedTuple):
    """One opening of a day: in wall time, as in the rule, and in instants."""

    wall: WallSpan
    span: Span


def open_spans(venue: Venue, resource_hours: Hours | None, day: date) -> tuple[Span, ...]:
    """Returns the openings of an opening day as instants, in order; they never overlap. Where nights are sold: the
    night of that date, if it is for sale."""
    if venue.stay is not None:
        night = stay.Nights(day, 1)
        return (stay.span_of(venue.stay, night, venue.tz),) if sells(venue, resource_hours, night) else ()
    return tuple(each.span for each in openings(_hours(venue, resource_hours), venue.tz, day))


def is_open(venue: Venue, resource_hours: Hours | None, start: datetime, end: datetime) -> bool:
    """Returns whether `[start, end)` is completely within open time; openings that touch count as one.

    Of a booking of more than 24 hours, only the start and end need to be. Where nights are sold: whether the dates of
    all its nights are opening days; when the desk is open does not matter.
    """
    hours = _hours(venue, resource_hours)
    if hours.always_open:
        return True
    if venue.stay is not None:
        return sells(venue, resource_hours, stay.nights_of(venue.stay, Span(start, end), venue.tz))
    if end - start > _DAY:
        return _covers(hours, venue.tz, start, start) and _covers(hours, venue.tz, end, end, ends=True)
    return _covers(hours, venue.tz, start, end)


def aligned(venue: Venue, resource_hours: Hours | None, start: datetime) -> bool:
    """Returns whether a start is on the venue's slot step.

    Steps count in wall-clock minutes from the beginning of the opening that contains the start; outside all openings,
    and if it is always open, from local midnight. Where nights are sold there is no step.
    """
    if venue.stay is not None:
        return True
    wall = start.astimezone(venue.tz).replace(tzinfo=None, fold=0)
    step = venue.policy.slot_step_minutes * _MINUTE
    around = _openings_around(_hours(venue, resource_hours).text, venue.tz, wall.date())
    opened = [each.wall.start for each in around if each.span.start <= start < each.span.end] or [
        midnight_of(wall.date())
    ]
    return any(not (wall - each) % step for each in opened)


def opening_day(venue: Venue, resource_hours: Hours | None, instant: datetime) -> date:
    """Returns the day whose opening contains the instant (01:00 on Sunday may be Saturday's), otherwise its local
    date. Where nights are sold: the date of the night."""
    if venue.stay is not None:
        return stay.arrival_of(venue.stay, instant, venue.tz)
    day = to_wall(instant, venue.tz).date()
    around = _openings_around(_hours(venue, resource_hours).text, venue.tz, day)
    return next((each.wall.start.date() for each in around if each.span.holds(instant)), day)


def starts_of_day(
    venue: Venue, resource_hours: Hours | None, day: date, *, duration_minutes: int
) -> list[datetime]:
    """Returns all starts (UTC, in order) of an opening day on the slot step for which a booking of that length is
    within open time. An hour that occurs twice has its starts twice. Where nights are sold: check-in, if the nights
    that the length makes are for sale."""
    if venue.stay is not None:
        nights = stay.Nights(day, stay.count_of(venue.stay, duration_minutes))
        start = stay.check_in_on(venue.stay, day, venue.tz)
        return [start] if sells(venue, resource_hours, nights) else []
    length = timedelta(minutes=duration_minutes)
    on_step = steps(_hours(venue, resource_hours), venue.tz, day, venue.policy.slot_step_minutes)
    if length > _DAY:
        return [start for start in on_step if is_open(venue, resource_hours, start, start + length)]
    # Openings of this day and the next three: a start may be as late as the evening of the next day, and 24 hours
    # later is the day after that, or an hour more if clocks go forward. The span that contains a start is the first
    # one that ends after it.
    ends = [closes for _, closes in _open_around(_hours(venue, resource_hours).text, venue.tz, day + _DAY)]
    return [start for start in on_step if start + length <= ends[bisect_right(ends, start)]]


@lru_cache(maxsize=DAYS_CACHED_MAX)
def openings(hours: Hours, tz: ZoneInfo, day: date) -> tuple[Opening, ...]:
    """Returns the openings of a day in order; an opening that crosses midnight belongs to the day it starts on.

    An exception for the date replaces the weekly rules. Leaves out an opening that is completely in a gap when clocks
    go forward.
    """
    midnight = midnight_of(day)
    walls = (
        WallSpan(*(midnight + timedelta(minutes=each) for each in rule.minutes))
        for rule in sorted(hours.spans_on(day), key=lambda rule: rule.minutes)
    )
    found = [Opening(wall, Span(instant_of(wall.start, tz), instant_of(wall.end, tz))) for wall in walls]
    return tuple(each for each in found if each.span.start < each.span.end)


@lru_cache(maxsize=DAYS_CACHED_MAX)
def _openings_around(text: HoursText, tz: ZoneInfo, day: date) -> tuple[Opening, ...]:
    # An opening of the day before may still be going on; a booking of 24 hours may reach into the next day, and into
    # the one after that when clocks change.
    days = (day + timedelta(days=offset) for offset in (-1, 0, 1, 2))
    return tuple(opening for each in days for opening in openings(text.hours, tz, each))


@lru_cache(maxsize=DAYS_CACHED_MAX)
def _open_around(text: HoursText, tz: ZoneInfo, day: date) -> tuple[Span, ...]:
    return merged(each.span for each in _openings_around(text, tz, day))


@lru_cache(maxsize=DAYS_CACHED_MAX // 8)
def steps(hours: Hours, tz: ZoneInfo, day: date, step_minutes: int) -> tuple[datetime, ...]:
    """Returns every instant within the day's openings that is a whole number of steps after opening, in wall time."""
    step = timedelta(minutes=step_minutes)
    found: set[datetime] = set()
    for opening in openings(hours, tz, day):
        wall = opening.wall.start
        if opening.span.duration > opening.wall.end - wall:  # clocks may go back to before opening
            wall -= math.ceil(CLOCKS_BACK_MAX / step) * step
        while wall < opening.wall.end:
            both = (wall.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1))
            found.update(each for each in both if opening.span.holds(each) and to_wall(each, tz) == wall)
            wall += step
    return tuple(sorted(found))


def _covers(hours: Hours, tz: ZoneInfo, start: datetime, end: datetime, *, ends: bool = False) -> bool:
    day = start.astimezone(tz).date()
    for opens, closes in _open_around(hours.text, tz, day):
        if opens <= start and end <= closes:
            return ends or start < closes
    return False


def sells(venue: Venue, resource_hours: Hours | None, nights: stay.Nights) -> bool:
    """Returns whether all the nights are for sale: their dates are opening days."""
    hours = _hours(venue, resource_hours)
    return hours.always_open or all(hours.spans_on(day) for day in nights.dates())


def _hours(venue: Venue, resource_hours: Hours | None) -> Hours:
    return venue.hours if resource_hours is None else resource_hours
