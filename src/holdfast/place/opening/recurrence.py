"""Expands recurrences at a venue: a subset of RFC 5545's RRULE, in wall time.

FREQ=DAILY, WEEKLY or MONTHLY; INTERVAL; BYDAY (only with WEEKLY, no ordinals); and either UNTIL or COUNT, which is
required. Weeks start on Monday. python-dateutil does the expansion:

- The start is the first occurrence, unless BYDAY leaves out its weekday: then the first occurrence is on the next day
  that BYDAY names. COUNT counts occurrences, so such a start does not count.
- MONTHLY skips months that don't have the day (the 31st, 29 February).
- A date as UNTIL includes that whole local day. An instant ("...Z") and a local time are exact: an occurrence that
  starts at that moment is the last one.

Each occurrence starts and ends at the same wall times as the first. A time that clocks skip becomes the first instant
after the gap; a time that occurs twice means its first occurrence. An occurrence that is completely in a gap is left
out, unless it is `whole`: one that starts in a gap then starts at the first instant after it, and is as long as the
others.
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
from holdfast.place.opening.clock import instant_of, to_wall
from holdfast.place.opening.parse_rrule import NUMBER_MAX, Recurrence, parse, wrong

__all__ = ["Expansion", "Occurrence", "Recurrence", "check_horizon", "expansion", "occurrences", "parse"]

HORIZON_YEARS = 2
"""How far ahead an occurrence may start, to the local day."""
OCCURRENCES_MAX = NUMBER_MAX
"""Enough for every day of two years, both ends included, and an occurrence that has already begun."""
EXPANSIONS_CACHED_MAX = 128
"""How many expanded recurrences this process caches, over all venues."""

_FREQUENCIES: dict[str, Any] = {"DAILY": DAILY, "WEEKLY": WEEKLY, "MONTHLY": MONTHLY}
_WEEKDAYS: tuple[Any, ...] = (MO, TU, WE, TH, FR, SA, SU)


class Occurrence(NamedTuple):
    """One occurrence: the local date on which it starts, and its span."""

    on: date
    span: Span


class Expansion:
    """A recurrence, expanded lazily and shared by all callers that need the same one.

    It checks nothing: a stored recurrence has passed `occurrences` before.
    """

    __slots__ = ("_found", "_rest")

    def __init__(
        self, starts: Iterator[datetime], length: timedelta, tz: ZoneInfo, *, whole: bool = False
    ) -> None:
        spans = (
            (each.date(), _span(each, length, tz, whole=whole)) for each in islice(starts, OCCURRENCES_MAX)
        )
        self._rest = (Occurrence(on, span) for on, span in spans if span.start < span.end)
        self._found: list[Occurrence] = []

    def before(self, instant: datetime) -> Sequence[Occurrence]:
        """Returns the occurrences that start before the instant, in order, and possibly later ones."""
        while not self._found or self._found[-1].span.start < instant:
            following = next(self._rest, None)
            if following is None:
                break
            self._found.append(following)
        return self._found

    def all(self) -> Sequence[Occurrence]:
        """Returns all occurrences, in order."""
        self._found.extend(self._rest)
        return self._found


@lru_cache(maxsize=EXPANSIONS_CACHED_MAX)  # resources that share a rule share its expansion
def expansion(
    recurrence: Recurrence | None,
    *,
    local_start: datetime,
    local_end: datetime,
    tz: ZoneInfo,
    whole: bool = False,
) -> Expansion:
    """Returns the expansion of a recurrence that `occurrences` accepts."""
    return Expansion(_starts(recurrence, local_start, tz), local_end - local_start, tz, whole=whole)


def occurrences(
    recurrence: Recurrence | None,
    *,
    local_start: datetime,
    local_end: datetime,
    tz: ZoneInfo,
    whole: bool = False,
) -> list[Occurrence]:
    """Returns all occurrences of `[local_start, local_end)` (wall time, naive), in order, at most OCCURRENCES_MAX; one
    if the recurrence is None. `whole`: none is shorter or left out because its start is in a gap.

    Raises InvalidRequest if there are none or too many, or if an occurrence would start before the previous one has
    ended. Call `check_horizon` first: it bounds how far ahead this looks.
    """
    if recurrence is not None:
        starts = list(islice(_starts(recurrence, local_start, tz), OCCURRENCES_MAX + 1))
        _check_count(recurrence, len(starts))
        _check_apart(recurrence, starts, local_end - local_start)
    found = expansion(recurrence, local_start=local_start, local_end=local_end, tz=tz, whole=whole).all()
    if recurrence is not None and not found:
        problem = f"leaves no occurrence from {local_start.isoformat()} on: choose a later one"
        raise wrong(recurrence.end_part, f"{recurrence.end_part} {problem}")
    return list(found)


def check_horizon(
    recurrence: Recurrence | None, *, local_start: datetime, tz: ZoneInfo, horizon_from: datetime
) -> None:
    """Checks that no occurrence starts after `last_day`.

    Raises InvalidRequest with the start, UNTIL or COUNT, whichever is too late.
    """
    last = last_day(horizon_from, tz)
    allowed = f"the last one may start at most {HORIZON_YEARS} years from now, on {last.isoformat()}"
    if local_start.date() > last:
        raise InvalidRequest.of("start", local_start.isoformat(), f"is too far ahead: {allowed}")
    if recurrence is None:
        return
    starts = islice(_starts(recurrence, local_start, tz), OCCURRENCES_MAX + 1)
    if any(start.date() > last for start in starts):
        shown = recurrence.end_part
        raise wrong(shown, f"{shown} goes on for too long: {allowed}")


def last_day(horizon_from: datetime, tz: ZoneInfo) -> date:
    """Returns the local day HORIZON_YEARS after that instant: the last day on which an occurrence may start."""
    return (horizon_from.astimezone(tz) + relativedelta(years=HORIZON_YEARS)).date()


def _span(start: datetime, length: timedelta, tz: ZoneInfo, *, whole: bool) -> Span:
    starts = instant_of(start, tz)
    return Span(starts, instant_of((to_wall(starts, tz) if whole else start) + length, tz))


def _starts(recurrence: Recurrence | None, local_start: datetime, tz: ZoneInfo) -> Iterator[datetime]:
    """Yields the wall times at which occurrences start."""
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
    """A wall time at or after the last occurrence. For an instant it is approximate; `_in_time` then checks exactly."""
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
        problem = f"gives more than {OCCURRENCES_MAX} occurrences: choose an earlier UNTIL or a smaller COUNT"
        raise wrong(recurrence.end_part, f"{recurrence.end_part} {problem}")


def _check_apart(recurrence: Recurrence, starts: list[datetime], length: timedelta) -> None:
    for one, following in pairwise(starts):
        if one + length > following:
            raise wrong(
                recurrence.text,
                f"occurrences overlap: one lasts from {one.isoformat()} to {(one + length).isoformat()}, and "
                f"the next starts at {following.isoformat()}: make it shorter or less frequent",
            )
