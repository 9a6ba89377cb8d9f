"""The rules of opening: weekly hours, exceptions of a date, slots. Written in wall time; `hours.py`
turns them into instants."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    model_validator,
)

from holdfast.kernel.body import Problem, refuse
from holdfast.kernel.text import one_line, stored_line, unless_stored

Day = Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
DAYS: tuple[Day, ...] = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
DAY_MINUTES = 24 * 60
_WALL_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
WEEK_MINUTES = 7 * DAY_MINUTES


def _wall_time(value: str) -> str:
    if not _WALL_TIME.fullmatch(value):
        raise ValueError("must be a time of day from 00:00 to 23:59 such as '18:00'")
    return value


def _wall_end(value: str) -> str:
    if value != "24:00" and not _WALL_TIME.fullmatch(value):
        raise ValueError("must be a time of day from 00:00 to 24:00 such as '23:00'")
    return value


WallTime = Annotated[
    str, AfterValidator(_wall_time), Field(json_schema_extra={"pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"})
]
"""A wall time HH:MM from 00:00 to 23:59."""
WallEnd = Annotated[
    str,
    AfterValidator(_wall_end),
    Field(json_schema_extra={"pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"}),
]
"""A wall time HH:MM from 00:00 to 24:00."""


def _iso_date(value: Any) -> Any:
    # Numbers and date-times would also pass as dates; a date is a date.
    if type(value) is date or (isinstance(value, str) and len(value) == 10):
        return value
    raise ValueError("must be a date such as '2026-12-24'")


CalendarDate = Annotated[date, BeforeValidator(_iso_date)]


class Rule(BaseModel):
    """A frozen value of a document; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def minutes_of(wall: str) -> int:
    """Minutes from midnight of a wall time HH:MM: 0 to 1440."""
    return int(wall[:2]) * 60 + int(wall[3:])


class HoursSpan(Rule):
    """Open from one wall time to another."""

    open: WallTime
    """Opening wall time, HH:MM."""
    close: WallEnd
    """Closing wall time, HH:MM to 24:00. At or before `open` it means the next day: 22:00 to 04:00
    belongs to the day of the 22:00."""

    @property
    def minutes(self) -> tuple[int, int]:
        """Opening and closing in minutes from the opening day's midnight; closing may pass 1440."""
        opens, closes = minutes_of(self.open), minutes_of(self.close)
        return opens, closes if closes > opens else closes + DAY_MINUTES


class WeeklyHours(HoursSpan):
    """Open from one wall time to another on some days of every week."""

    days: tuple[Day, ...] = Field(min_length=1, max_length=7)
    """Opening days, MO to SU."""


class HoursException(Rule):
    """Other hours on one date, or none."""

    date: CalendarDate
    """The opening day this is about."""
    closed: StrictBool = False
    """True: nothing opens on that date."""
    spans: tuple[HoursSpan, ...] = Field(default=(), max_length=24)
    """The hours of that date, in place of the weekly ones."""
    name: Annotated[str, unless_stored(one_line)] | None = Field(default=None, max_length=100)
    """What the date is, for people to read: a holiday's name."""

    @model_validator(mode="after")
    def _closed_or_spans(self) -> HoursException:
        if self.closed == bool(self.spans):
            raise ValueError("give either closed: true or spans with at least one open and close")
        refuse("HoursException", _overlaps(_numbered(self.spans), "spans"))
        return self


class Hours(Rule):
    """When a venue or resource is open. Without weekly rules it always is, but for the exceptions."""

    weekly: tuple[WeeklyHours, ...] = Field(default=(), max_length=100)
    """Rules of every week; several for one day are several openings, which may touch, not overlap."""
    exceptions: tuple[HoursException, ...] = Field(default=(), max_length=2000)
    """Dates with other hours; each date once."""

    @model_validator(mode="after")
    def _fits_together(self) -> Hours:
        refuse("Hours", [*_overlaps(self._week(), "weekly"), *self._repeated_dates()])
        return self

    def spans_on(self, day: date) -> tuple[HoursSpan, ...]:
        """What opens on that day, in order: date exception before weekly rule; no weekly rules: all day."""
        exception = self._by_date.get(day)
        if exception is not None:
            return exception.spans
        return self._by_weekday[day.weekday()] if self.weekly else _ALL_DAY

    @cached_property
    def always_open(self) -> bool:
        """Whether no rule at all ever closes it."""
        return not self.weekly and not self.exceptions

    # Hours are keys of caches that every booking asks, and a snapshot read anew brings equal but not
    # identical ones: comparing one text is far cheaper than comparing a tree.
    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Hours) and self._text == other._text)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _text(self) -> str:
        return self.model_dump_json()

    @cached_property
    def _hash(self) -> int:
        return hash(self._text)

    @cached_property
    def _by_date(self) -> dict[date, HoursException]:
        return {each.date: each for each in self.exceptions}

    @cached_property
    def _by_weekday(self) -> tuple[tuple[HoursSpan, ...], ...]:
        return tuple(
            tuple(sorted((rule for rule in self.weekly if day in rule.days), key=lambda rule: rule.minutes))
            for day in DAYS
        )

    def _week(self) -> list[_Numbered]:
        week = [
            _Numbered(index, rule, DAYS.index(day) * DAY_MINUTES)
            for index, rule in enumerate(self.weekly)
            for day in rule.days
        ]
        # Sunday's late hours run into Monday: let the first opening of the week come round again.
        first = min(week, key=lambda each: each.start, default=None)
        return week if first is None else [*week, first._replace(offset=first.offset + WEEK_MINUTES)]

    def _repeated_dates(self) -> list[Problem]:
        seen: set[date] = set()
        problems: list[Problem] = []
        for index, each in enumerate(self.exceptions):
            if each.date in seen:
                where = ("exceptions", index, "date")
                problems.append(Problem(where, str(each.date), "this date has an exception already"))
            seen.add(each.date)
        return problems


class Slot(Rule):
    """A named window that repeats on some days of the week."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    """Lower-case letters, digits, - and _: `slot_21_00`."""
    name: stored_line(100)  # pyright: ignore[reportInvalidTypeForm]
    """For people to read."""
    days: tuple[Day, ...] = Field(default=DAYS, min_length=1, max_length=7)
    """Days on which it starts, MO to SU."""
    start: WallTime
    """Wall time of its start, HH:MM."""
    minutes: StrictInt = Field(ge=1, le=DAY_MINUTES)
    """Its length in minutes, 1 to 1440."""


class _Numbered(NamedTuple):
    at: int
    span: HoursSpan
    offset: int

    @property
    def start(self) -> int:
        return self.offset + self.span.minutes[0]

    @property
    def end(self) -> int:
        return self.offset + self.span.minutes[1]


def _numbered(spans: Iterable[HoursSpan]) -> list[_Numbered]:
    return [_Numbered(index, span, 0) for index, span in enumerate(spans)]


def _overlaps(spans: list[_Numbered], field: str) -> list[Problem]:
    """A problem for each span that begins before the one ahead of it has closed."""
    ordered = sorted(spans, key=lambda each: (each.start, each.end))
    return [
        Problem((field, late.at), _shown(late), f"must not overlap {field}.{early.at} ({_shown(early)})")
        for early, late in pairwise(ordered)
        if late.start < early.end
    ]


def _shown(each: _Numbered) -> str:
    day = DAYS[each.offset // DAY_MINUTES % 7] + " " if isinstance(each.span, WeeklyHours) else ""
    return f"{day}{each.span.open}-{each.span.close}"


_ALL_DAY = (HoursSpan(open="00:00", close="24:00"),)
