"""What is charged of each rate where rates take turns during a visit: hours, nights, or the booking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from holdfast.kernel.span import Span
from holdfast.place.opening.hours import to_wall
from holdfast.place.opening.spans import DAY_MINUTES
from holdfast.place.opening.stretches import stretches
from holdfast.port.rates import HOUR_US, Counting, Rate, Visit, nights_of

_US = timedelta(microseconds=1)
_MINUTE_US = 60_000_000
_DAY = timedelta(days=1)
DAY_US = DAY_MINUTES * _MINUTE_US
_MIDNIGHT = time()
Plan = Sequence[tuple[int, int, Rate | None]]
"""A day in parts: [start, end) in microseconds after midnight, and the rate per hour that counts in each."""


def charge_in_turn(
    counting: Counting,
    visit: Visit,
    tz: ZoneInfo,
    *,
    exact: bool,
    plan: Callable[[tuple[Rate, ...], date], Plan],
) -> dict[Rate, int]:
    """Returns what counts of each rate, in order of time: microseconds, nights, or 1 for the whole booking.

    `exact`: the last hour counts only as far as it goes. `plan`: `paint`, or a cache of it.
    """
    if not counting.hourly:
        return _by_night(counting.rates, _nights(visit, tz))
    found, last = _in_a_day(counting, visit.span, tz, plan) or _by_moment(counting, visit, tz, plan)
    if last is not None and not exact:
        # The rest of the hour that has begun costs what its last minute did.
        found[last] += -sum(us for rate, us in found.items() if rate.per == "hour") % HOUR_US
    return found


def _nights(visit: Visit, tz: ZoneInfo) -> Sequence[datetime]:
    """The wall time at which each night begins: check-in or, where no nights are sold, the time of arrival on its
    date."""
    if visit.nights is not None:
        return visit.nights
    arrival = to_wall(visit.span.start, tz)
    return [arrival + _DAY * n for n in range(nights_of(visit, tz))]


def _by_night(rates: Sequence[Rate], nights: Sequence[datetime]) -> dict[Rate, int]:
    found: dict[Rate, int] = {}
    for begins in nights:
        rate = next((each for each in rates if each.is_whole or each.covers(begins)), None)
        if rate is not None:
            found[rate] = 1 if rate.is_whole else found.get(rate, 0) + 1
    return found


def _in_a_day(
    counting: Counting, span: Span, tz: ZoneInfo, plan: Callable[[tuple[Rate, ...], date], Plan]
) -> tuple[dict[Rate, int], Rate | None] | None:
    """The same as `_by_moment`, in a tenth of the time, for a visit within one local day that has no change of clocks
    and no rate per night; else None."""
    wall, length, whole = to_wall(span.start, tz), span.end - span.start, counting.whole
    start = (wall.hour * 60 + wall.minute) * _MINUTE_US + wall.second * 1_000_000 + wall.microsecond
    end = start + length.seconds * 1_000_000 + length.microseconds
    if counting.nightly or length.days or end > DAY_US or to_wall(span.end, tz) - wall != length:
        return None
    found: dict[Rate, int] = {}
    last: Rate | None = None
    for lo, hi, hour in plan(counting.hourly, wall.date()):
        if hi <= start:
            continue
        if lo >= end:
            break
        rate = _first(hour, whole)
        if rate is not None and rate.is_whole:
            found[rate] = 1
        elif rate is not None:
            found[rate], last = found.get(rate, 0) + min(hi, end) - max(lo, start), rate
    return found, last


def _by_moment(
    counting: Counting, visit: Visit, tz: ZoneInfo, plan: Callable[[tuple[Rate, ...], date], Plan]
) -> tuple[dict[Rate, int], Rate | None]:
    """What counts of each rate, and the rate per hour that counts last."""
    nights, whole = _nights(visit, tz), counting.whole
    per_night = [next((each for each in counting.nightly if each.covers(begins)), None) for begins in nights]
    found: dict[Rate, int] = {}
    seen: set[int] = set()
    last: Rate | None = None
    for day, start, end in _days(visit.span, tz):
        for lo, hi, hour in plan(counting.hourly, day):
            for us, night in _cut(day, max(lo, start), min(hi, end), nights):
                rate = _first(_first(hour, per_night[night]), whole)
                if rate is None:
                    continue
                if rate.per == "hour":
                    found[rate], last = found.get(rate, 0) + us, rate
                elif rate.is_whole:
                    found[rate] = 1
                elif night not in seen:
                    seen.add(night)
                    found[rate] = found.get(rate, 0) + 1
    return found, last


def _first(one: Rate | None, other: Rate | None) -> Rate | None:
    if one is None or other is None:
        return one or other
    return one if one.order < other.order else other


def _days(span: Span, tz: ZoneInfo) -> Iterator[tuple[date, int, int]]:
    for day, start, end in stretches(span, tz):
        yield day, start // _US, end // _US


def _cut(day: date, start: int, end: int, nights: Sequence[datetime]) -> Iterator[tuple[int, int]]:
    """Yields the microseconds of a part of the day and the number of their night, cut where a night ends. The last
    night lasts until the departure."""
    if start >= end:
        return
    arrival = nights[0]
    turn = (arrival - datetime.combine(arrival.date(), _MIDNIGHT)) // _US
    number = (day - arrival.date()).days
    for lo, hi, night in ((start, min(end, turn), number - 1), (max(start, turn), end, number)):
        if lo < hi:
            yield hi - lo, min(max(night, 0), len(nights) - 1)


def paint(rates: Sequence[Rate], day: date) -> Plan:
    """Returns the day in parts, each with the first of the rates whose window it is in."""
    free, parts = [(0, DAY_MINUTES)], list[tuple[int, int, Rate | None]]()
    for rate in rates:
        for start, end in rate.on_day(day):
            within = [(max(start, lo), min(end, hi)) for lo, hi in free]
            parts += [(lo, hi, rate) for lo, hi in within if lo < hi]
            free = [
                each
                for lo, hi in free
                for each in ((lo, min(hi, start)), (max(lo, end), hi))
                if each[0] < each[1]
            ]
    parts += [(lo, hi, None) for lo, hi in free]
    return [
        (lo * _MINUTE_US, hi * _MINUTE_US, rate) for lo, hi, rate in sorted(parts, key=lambda part: part[0])
    ]
