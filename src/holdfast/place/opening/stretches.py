"""A span in stretches of even wall time: within each, the clocks at the venue run like any others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from holdfast.kernel.span import Span
from holdfast.place.opening.hours import to_wall

_DAY = timedelta(days=1)
_MIDNIGHT = time()
_SECOND = timedelta(seconds=1)
YEARS_CACHED_MAX = 2048


class Stretch(NamedTuple):
    """A part of one local day: from `start` after midnight to `end`, at most 24 hours, by the clock on the wall."""

    day: date
    start: timedelta
    end: timedelta


def stretches(span: Span, tz: ZoneInfo) -> Iterator[Stretch]:
    """Yields the span in order of time, cut at local midnights and where clocks change.

    The stretches are as long as the time that really passes: an hour that clocks skip is in none of them, and an hour
    that they repeat is in two."""
    first = span.start
    for change in (*changes(span, tz), span.end):
        wall, left = to_wall(first, tz), change - first
        while left > timedelta():
            since = wall - datetime.combine(wall.date(), _MIDNIGHT)
            length = min(left, _DAY - since)
            yield Stretch(wall.date(), since, since + length)
            wall, left = wall + length, left - length
        first = change


def changes(span: Span, tz: ZoneInfo) -> list[datetime]:
    """Returns the instants within the span at which clocks change, in order."""
    years = range(span.start.year, span.end.year + 1)
    return [each for year in years for each in _changes_in(year, tz) if span.start < each < span.end]


@lru_cache(maxsize=YEARS_CACHED_MAX)
def _changes_in(year: int, tz: ZoneInfo) -> tuple[datetime, ...]:
    midnight = datetime(year, 1, 1, tzinfo=UTC)
    days = [midnight + _DAY * n for n in range((datetime(year + 1, 1, 1, tzinfo=UTC) - midnight).days + 1)]
    return tuple(
        _change(before, after, tz)
        for before, after in pairwise(days)
        if _offset(before, tz) != _offset(after, tz)
    )


def _change(before: datetime, after: datetime, tz: ZoneInfo) -> datetime:
    """The instant between the two at which the offset changes. At most 17 rounds: they are a day apart."""
    old = _offset(before, tz)
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        before, after = (middle, after) if _offset(middle, tz) == old else (before, middle)
    return after


def _offset(instant: datetime, tz: ZoneInfo) -> timedelta | None:
    return instant.astimezone(tz).utcoffset()
