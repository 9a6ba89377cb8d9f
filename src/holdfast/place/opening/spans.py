"""Opening rules: weekly hours, exceptions for dates, slots. They are in wall time; `hours.py` converts them to
instants."""

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
    # pydantic would also accept numbers and date-times as dates.
    if type(value) is date or (isinstance(value, str) and len(value) == 10):
        return value
    raise ValueError("must be a date such as '2026-12-24'")


CalendarDate = Annotated[date, BeforeValidator(_iso_date)]


class Rule(BaseModel):
    """A frozen part of a document; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def minutes_of(wall: str) -> int:
    """Converts a wall time HH:MM to minutes from midnight, 0 to 1440."""
    return int(wall[:2]) * 60 + int(wall[3:])


class HoursSpan(Rule):
    """Open from one wall time to another."""

    open: WallTime
    """Opening wall time, HH:MM."""
    close: WallEnd
    """Closing wall time, HH:MM, up to 24:00. If it is not after `open`, it means the next day: 22:00 to 04:00 belongs
    to the day of 22:00."""

    @property
    def minutes(self) -> tuple[int, int]:
        """Opening and closing in minutes from midnight of the opening day; closing may be over 1440."""
        opens, closes = minutes_of(self.open), minutes_of(self.close)
        return opens, closes if closes > opens else closes + DAY_MINUTES


class WeeklyHours(HoursSpan):
    """Open from one wall time to another on some days of every week."""

    days: tuple[Day, ...] = Field(min_length=1, max_length=7)
    """Opening days, MO to SU."""


class HoursException(Rule):
    """Different hours on one date, or closed."""

    date: CalendarDate
    """The opening day that it applies to."""
    closed: StrictBool = False
    """True: closed on that date."""
    spans: tuple[HoursSpan, ...] = Field(default=(), max_length=24)
    """The hours of that date, which replace the weekly ones."""
    name: Annotated[str, unless_stored(one_line)] | None = Field(default=None, max_length=100)
    """A display name for the date, such as the name of a holiday."""
    source: Literal["holiday"] | None = None
    """`holiday`: it was added with the public holidays of a country. It stays when a document is imported that does not
    name its date."""
    removed: StrictBool = Field(default=False, exclude=True)
    """True, in a document: the date has no exception, and one that it has is removed. It is never shown."""

    @model_validator(mode="after")
    def _closed_or_spans(self) -> HoursException:
        if self.removed and (self.closed or self.spans):
            raise ValueError("give a date that is removed neither closed nor spans")
        if not self.removed and self.closed == bool(self.spans):
            raise ValueError("give either closed: true or spans with at least one open and close")
        refuse("HoursException", _overlaps(_numbered(self.spans), "spans"))
        return self


class Hours(Rule):
    """When a venue or resource is open. Without weekly rules it is always open, except for the exceptions."""

    weekly: tuple[WeeklyHours, ...] = Field(default=(), max_length=100)
    """Rules for every week. Several rules for one day give several openings, which may touch but not overlap."""
    exceptions: tuple[HoursException, ...] = Field(default=(), max_length=2000)
    """Dates with different hours; each date at most once."""

    @model_validator(mode="after")
    def _fits_together(self) -> Hours:
        refuse("Hours", [*_overlaps(self._week(), "weekly"), *self._repeated_dates()])
        return self

    def spans_on(self, day: date) -> tuple[HoursSpan, ...]:
        """Returns the openings of that day, in order: those of the date's exception if it has one, otherwise those of
        the weekly rules; without weekly rules, the whole day."""
        exception = self._by_date.get(day)
        if exception is not None:
            return exception.spans
        return self.usual_on(day)

    def usual_on(self, day: date) -> tuple[HoursSpan, ...]:
        """Returns the openings that the weekly rules alone give that day, in order."""
        return self._by_weekday[day.weekday()] if self.weekly else _ALL_DAY

    @cached_property
    def always_open(self) -> bool:
        """True if there are no rules, so that it never closes."""
        return not self.weekly and not self.exceptions

    # Hours are keys of caches that every booking uses, and a reloaded snapshot has equal but not identical ones:
    # comparing one string is much cheaper than comparing the tree.
    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Hours) and self.text == other.text)

    def __hash__(self) -> int:
        return hash(self.text)

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        fields = {name: value for name, value in state["__dict__"].items() if name in type(self).model_fields}
        return state | {"__dict__": fields}  # without what is cached

    @cached_property
    def text(self) -> HoursText:
        return HoursText(self)

    @cached_property
    def _by_date(self) -> dict[date, HoursException]:
        return {each.date: each for each in self.exceptions if not each.removed}

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
        # Sunday's late hours may run into Monday, so repeat the first opening of the week at the end.
        first = min(week, key=lambda each: each.start, default=None)
        return week if first is None else [*week, first._replace(offset=first.offset + WEEK_MINUTES)]

    def _repeated_dates(self) -> list[Problem]:
        seen: set[date] = set()
        problems: list[Problem] = []
        for index, each in enumerate(self.exceptions):
            if each.date in seen:
                where = ("exceptions", index, "date")
                problems.append(Problem(where, str(each.date), "this date already has an exception"))
            seen.add(each.date)
        return problems


class HoursText(str):
    """Hours as one text, by which caches find them, and the hours that it says."""

    __slots__ = ("hours",)
    hours: Hours

    def __new__(cls, hours: Hours) -> HoursText:
        text = super().__new__(cls, hours.model_dump_json())
        text.hours = hours
        return text

    def __deepcopy__(self, _memo: object) -> HoursText:
        return self  # neither it nor the hours ever change


class Slot(Rule):
    """A named time window that repeats on some days of the week."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    """Lower-case letters, digits, - and _: `slot_21_00`."""
    name: stored_line(100)  # pyright: ignore[reportInvalidTypeForm]
    """The display name."""
    days: tuple[Day, ...] = Field(default=DAYS, min_length=1, max_length=7)
    """The days on which it starts, MO to SU."""
    start: WallTime
    """The wall time at which it starts, HH:MM."""
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
    """A problem for each span that begins before the previous one has ended."""
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
