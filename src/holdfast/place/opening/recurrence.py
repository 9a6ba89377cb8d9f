"""What repeats at a venue: a subset of RFC 5545's RRULE, in wall time.

FREQ=DAILY, WEEKLY or MONTHLY; INTERVAL; BYDAY (with WEEKLY, no ordinals); and how it ends, UNTIL or COUNT,
one of which is required. Weeks start on Monday. The expansion is python-dateutil's:

- The start is the first occurrence, unless BYDAY leaves out its weekday: then the first one is on the next
  day that BYDAY names. COUNT counts occurrences, so a start that is none does not count.
- MONTHLY on a day that a month lacks (the 31st, 29 February) skips that month.
- A date as UNTIL means through the end of that local day; an instant ("...Z") and a local time are meant
  exactly, and an occurrence that starts at that very moment is the last.

Each occurrence starts and ends at the same times on the wall as the first. Where clocks skip one of these
it is the first instant after the gap, and where they repeat it the first of the two; an occurrence that lies
wholly in a gap is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from dateutil.rrule import DAILY, FR, MO, MONTHLY, SA, SU, TH, TU, WE, WEEKLY, rrule

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.opening.hours import instant_of
from holdfast.place.opening.parse_rrule import NUMBER_MAX, Recurrence, parse, wrong

__all__ = ["Expansion", "Occurrence", "Recurrence", "check_horizon", "expansion", "occurrences", "parse"]

HORIZON_YEARS = 2
"""No occurrence starts later than on the local day so far ahead."""
OCCURRENCES_MAX = NUMBER_MAX
"""Every day of two years, both ends included, and one that is under way."""
EXPANSIONS_CACHED_MAX = 128
"""So many recurrences are kept worked out, over all venues of the process."""

_FREQUENCIES: dict[str, Any] = {"DAILY": DAILY, "WEEKLY": WEEKLY, "MONTHLY": MONTHLY}
_WEEKDAYS: tuple[Any, ...] = (MO, TU, WE, TH, FR, SA, SU)


class Occurrence(NamedTuple):
    """One of them: the local date on which it starts, and its instants."""

    on: date
    span: Span


class Expansion:
    """A recurrence worked out as far as somebody asked, for all who ask for the same.

    What is kept must have passed `occurrences` before: here nothing is refused.
    """

    __slots__ = ("_found", "_rest")

    def __init__(self, starts: Iterator[datetime], length: timedelta, tz: ZoneInfo) -> None:
        spans = (
            (each.date(), Span(instant_of(each, tz), instant_of(each + length, tz)))
            for each in islice(starts, OCCURRENCES_MAX)
        )
        self._rest = (Occurrence(on, span) for on, span in spans if span.start < span.end)
        self._found: list[Occurrence] = []

    def before(self, instant: datetime) -> Sequence[Occurrence]:
        """Those that start before the instant, in order, and perhaps some after."""
        while not self._found or self._found[-1].span.start < instant:
            following = next(self._rest, None)
            if following is None:
                break
            self._found.append(following)
        return self._found

    def all(self) -> Sequence[Occurrence]:
        """Those that there are, in order."""
        self._found.extend(self._rest)
        return self._found


@lru_cache(maxsize=EXPANSIONS_CACHED_MAX)  # resources that share a rule share its expansion
def expansion(
    recurrence: Recurrence | None, *, local_start: datetime, local_end: datetime, tz: ZoneInfo
) -> Expansion:
    """The expansion of a recurrence that `occurrences` accepts."""
    return Expansion(_starts(recurrence, local_start, tz), local_end - local_start, tz)


def occurrences(
    recurrence: Recurrence | None, *, local_start: datetime, local_end: datetime, tz: ZoneInfo
) -> list[Occurrence]:
    """All of them, in order: `[local_start, local_end)` (wall time, naive) as often as the recurrence says;
    None: once. At most OCCURRENCES_MAX.

    Raises InvalidRequest when there is none, when there are too many, or when one would start before the
    one before it has ended. To be asked after `check_horizon`, which bounds how far ahead it looks.
    """
    if recurrence is not None:
        starts = list(islice(_starts(recurrence, local_start, tz), OCCURRENCES_MAX + 1))
        _check_count(recurrence, len(starts))
        _check_apart(recurrence, starts, local_end - local_start)
    found = expansion(recurrence, local_start=local_start, local_end=local_end, tz=tz).all()
    if recurrence is not None and not found:
        problem = f"leaves no occurrence at all from {local_start.isoformat()} on: say a later one"
        raise wrong(recurrence.end_part, f"{recurrence.end_part} {problem}")
    return list(found)


def check_horizon(
    recurrence: Recurrence | None, *, local_start: datetime, tz: ZoneInfo, horizon_from: datetime
) -> None:
    """Nothing, if no occurrence starts after `last_day`.

    Raises InvalidRequest that names the start, UNTIL or COUNT, whichever goes past it.
    """
    last = last_day(horizon_from, tz)
    allowed = f"the last one may start {HORIZON_YEARS} years from now, on {last.isoformat()}"
    if local_start.date() > last:
        raise InvalidRequest.of("start", local_start.isoformat(), f"is too far ahead: {allowed}")
    if recurrence is None:
        return
    starts = islice(_starts(recurrence, local_start, tz), OCCURRENCES_MAX + 1)
    if any(start.date() > last for start in starts):
        shown = recurrence.end_part
        raise wrong(shown, f"{shown} goes on for too long: {allowed}")


def last_day(horizon_from: datetime, tz: ZoneInfo) -> date:
    """The local day HORIZON_YEARS after that instant: the last one on which anything may start."""
    return (horizon_from.astimezone(tz) + relativedelta(years=HORIZON_YEARS)).date()


def _starts(recurrence: Recurrence | None, local_start: datetime, tz: ZoneInfo) -> Iterator[datetime]:
    """The wall times at which they start, as they are asked for."""
    if recurrence is None:
        return iter([local_start])
    rule = rrule(
        _FREQUENCIES[recurrence.freq],
        dtstart=local_start.replace(microsecond=0),
        interval=recurrence.interval,
        byweekday=[_WEEKDAYS[each] for each in recurrence.weekdays] or None,
        count=recurrence.count,
        until=_last_wall(recurrence.until),
        wkst=MO,
    )
    rest = timedelta(microseconds=local_start.microsecond)  # dateutil drops it
    starts = (each + rest for each in rule)
    return (each for each in starts if _in_time(each, recurrence.until, tz))


def _last_wall(until: date | datetime | None) -> datetime | None:
    """A wall time that no occurrence comes after; of an instant roughly, which `_in_time` makes exact."""
    if until is None:
        return None
    if not isinstance(until, datetime):
        return datetime.combine(until, time.max)
    if until.tzinfo is None:
        return until
    naive = until.replace(tzinfo=None)
    return naive + timedelta(days=2) if naive.year < 9999 else naive


def _in_time(start: datetime, until: date | datetime | None, tz: ZoneInfo) -> bool:
    if not isinstance(until, datetime):
        return until is None or start.date() <= until
    return start <= until if until.tzinfo is None else instant_of(start, tz) <= until


def _check_count(recurrence: Recurrence, count: int) -> None:
    if count > OCCURRENCES_MAX:
        problem = f"makes more than {OCCURRENCES_MAX} occurrences: say an earlier UNTIL or a smaller COUNT"
        raise wrong(recurrence.end_part, f"{recurrence.end_part} {problem}")


def _check_apart(recurrence: Recurrence, starts: list[datetime], length: timedelta) -> None:
    for one, following in pairwise(starts):
        if one + length > following:
            raise wrong(
                recurrence.text,
                f"occurrences overlap: one lasts from {one.isoformat()} to {(one + length).isoformat()}, and "
                f"the next starts at {following.isoformat()}: make it shorter or less frequent",
            )
