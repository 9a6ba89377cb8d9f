"""Checks many starts at once: which are in open time, and which are on the slot step. The same results as `hours`
gives for each start."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from holdfast.kernel.span import bits_between, merged
from holdfast.place.opening.hours import is_open, openings, steps, to_wall
from holdfast.place.opening.spans import Hours
from holdfast.place.venue import Venue

DAY = timedelta(days=1)


def open_bits(
    venue: Venue, resource_hours: Hours | None, times: Sequence[datetime], length: timedelta
) -> int:
    """Returns a bit for each time, the lowest for the first: set if `is_open` is true for a booking of that length that
    starts then. `times`: in order, at least one; `length`: more than zero."""
    hours = venue.hours if resource_hours is None else resource_hours
    if hours.always_open:
        return (1 << len(times)) - 1
    if venue.stay is not None:  # one start a day
        bits = (is_open(venue, resource_hours, each, each + length) << n for n, each in enumerate(times))
        return sum(bits)
    first, last = to_wall(times[0], venue.tz).date(), to_wall(times[-1] + length, venue.tz).date()
    days = (first + timedelta(days=n) for n in range(-1, (last - first).days + 2))
    opened = merged(each.span for day in days for each in openings(hours, venue.tz, day))
    starting = ending = 0
    for opens, closes in opened:
        starting |= bits_between(bisect_left(times, opens), bisect_left(times, closes))
        latest = bisect_right(times, closes - length)
        if length > DAY:
            ending |= bits_between(bisect_left(times, opens - length), latest)
        else:
            ending |= bits_between(bisect_left(times, opens), latest)
    return starting & ending


def aligned_bits(venue: Venue, resource_hours: Hours | None, times: Sequence[datetime]) -> int:
    """Returns a bit for each time, the lowest for the first: set if the time is within an opening and `aligned` is true
    for it. `times`: in order, at least one."""
    if venue.stay is not None:
        return (1 << len(times)) - 1
    first, last = to_wall(times[0], venue.tz).date(), to_wall(times[-1], venue.tz).date()
    days = (first + timedelta(days=n) for n in range(-1, (last - first).days + 1))
    step = venue.policy.slot_step_minutes
    own = venue.hours if resource_hours is None else resource_hours
    on_step = {start for day in days for start in steps(own, venue.tz, day, step)}
    return sum(1 << place for place, start in enumerate(times) if start in on_step)
