"""The clock of a venue: wall times in, instants out.

This is the only module that converts between local times and instants. A wall time that occurs twice (clocks went
back) means the first occurrence. A wall time that does not exist (clocks went forward) is refused in a request; in a
rule, it means the first instant after the gap.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from holdfast.kernel.errors import HoldfastError, Kind
from holdfast.kernel.span import Span

INSTANTS_CACHED_MAX = 8192
OFFSETS_CACHED_MAX = 8192
"""Of how many days this process caches the offset from UTC, over all time zones."""

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)


class NonexistentLocalTime(HoldfastError):
    """Clocks skip this local time: ask for one before or after the gap.

    Fields: `local_time`, `timezone`, `next_valid` (the first instant after the gap, RFC 3339).
    """

    kind = Kind.INVALID
    code = "NONEXISTENT_LOCAL_TIME"


def to_utc(wall: datetime, tz: ZoneInfo) -> datetime:
    """Returns the instant (UTC) of a naive wall time; the first if it occurs twice.

    Raises `NonexistentLocalTime` if it does not exist.
    """
    offset = _offset_all_day(wall.date(), tz)
    if offset is not None:  # nearly every day
        return wall.replace(tzinfo=UTC) - offset
    if _in_gap(wall, tz):
        valid = _end_of_gap(wall, tz).astimezone(tz).isoformat()
        raise NonexistentLocalTime(
            f"The local time {wall.isoformat()} does not exist in {tz.key}, where clocks skip it: "
            f"the next one that does is {valid}.",
            local_time=wall.isoformat(),
            timezone=tz.key,
            next_valid=valid,
        )
    return wall.replace(tzinfo=tz, fold=0).astimezone(UTC)


def instant_of(wall: datetime, tz: ZoneInfo) -> datetime:
    """Returns the instant (UTC) of a rule's wall time. Like `to_utc`, but a time in a gap gives the first instant after
    it."""
    changes_that_day = _offset_all_day(wall.date(), tz) is None
    return _end_of_gap(wall, tz) if changes_that_day and _in_gap(wall, tz) else to_utc(wall, tz)


@lru_cache(maxsize=INSTANTS_CACHED_MAX)  # each booking converts its start many times
def to_wall(instant: datetime, tz: ZoneInfo) -> datetime:
    """Returns the wall time (naive) at that instant."""
    return instant.astimezone(tz).replace(tzinfo=None, fold=0)


def day_span(day: date, tz: ZoneInfo) -> Span:
    """Returns the span from local midnight to local midnight: usually 24 hours, sometimes 23 or 25."""
    return Span(instant_of(midnight_of(day), tz), instant_of(midnight_of(day) + _DAY, tz))


def later(start: datetime, minutes: int, tz: ZoneInfo) -> datetime:
    """Returns the instant (UTC) after `start` at which the clock shows so many minutes more, 1 or more.

    On most nights these minutes pass. Where clocks change in between, an hour more or less does: who leaves at three
    leaves at three.
    """
    wall = to_wall(start, tz) + minutes * _MINUTE
    end = instant_of(wall, tz)
    if end > start:
        return end
    # Both are in an hour that occurs twice, and `start` is in its second run.
    return wall.replace(tzinfo=tz, fold=1).astimezone(UTC)


def length_on_clock(span: Span, tz: ZoneInfo) -> timedelta:
    """Returns how much later the clock is at the end of the span, if it is; otherwise the time that passes."""
    shown = to_wall(span.end, tz) - to_wall(span.start, tz)
    return shown if shown > timedelta() else span.duration


def minutes_between(start: datetime, end: datetime) -> int:
    """Returns the whole minutes from one wall time or instant to another."""
    return (end - start) // _MINUTE


def midnight_of(day: date) -> datetime:
    """Returns the wall time at which the day begins."""
    return datetime.combine(day, time())


@lru_cache(maxsize=OFFSETS_CACHED_MAX)
def _offset_all_day(day: date, tz: ZoneInfo) -> timedelta | None:
    """The UTC offset of all wall times of a day; None for a day on which clocks change, or next to one."""
    around = (datetime.combine(day + _DAY * n, time(), tz).replace(fold=f) for n in (0, 1) for f in (0, 1))
    offsets = {each.utcoffset() for each in around}
    return offsets.pop() if len(offsets) == 1 else None


def _in_gap(wall: datetime, tz: ZoneInfo) -> bool:
    # PEP 495: in a gap, fold=0 gives the offset before it, which is the smaller one; in a fold, the larger one.
    early = wall.replace(tzinfo=tz, fold=0).utcoffset()
    late = wall.replace(tzinfo=tz, fold=1).utcoffset()
    return early != late and early is not None and late is not None and early < late


def _end_of_gap(wall: datetime, tz: ZoneInfo) -> datetime:
    """The instant (UTC) at which clocks go forward past that wall time."""
    wall = wall.replace(microsecond=0)
    before = wall.replace(tzinfo=tz, fold=1).astimezone(UTC)
    after = wall.replace(tzinfo=tz, fold=0).astimezone(UTC)
    new_offset = after.astimezone(tz).utcoffset()
    # Binary search: at most 17 rounds, since no gap is longer than a day.
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if middle.astimezone(tz).utcoffset() == new_offset:
            after = middle
        else:
            before = middle
    return after
