"""Stays: venues that sell nights. Pure, in wall time.

A night has the date of its evening. A stay lasts from check-in on its arrival date to check-out on its departure date.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, StrictInt, model_validator

from holdfast.kernel.body import Problem, refuse
from holdfast.kernel.span import Span
from holdfast.place.opening.clock import instant_of, midnight_of, to_wall
from holdfast.place.opening.spans import CalendarDate, Day, Rule, WallTime, minutes_of

NIGHTS_LIMIT = 366
"""The longest stay that any policy can allow, nights."""
_DAY = timedelta(days=1)


class StayTimes(Rule):
    """When guests of a venue that sells nights come and go."""

    check_in: WallTime
    """The wall time of the arrival date from which a room is the guest's, HH:MM."""
    check_out: WallTime
    """The wall time of the departure date until which it is, HH:MM. Not after `check_in`, when the next guest comes."""

    @model_validator(mode="after")
    def _one_guest_after_another(self) -> StayTimes:
        if self.check_out > self.check_in:
            problem = f"must not be after check_in ({self.check_in}): the next guest comes then"
            refuse("StayTimes", [Problem(("check_out",), self.check_out, problem)])
        return self

    @property
    def gap(self) -> timedelta:
        """The time between one guest's check-out and the next one's check-in."""
        return timedelta(minutes=minutes_of(self.check_in) - minutes_of(self.check_out))


def problems_of_slots(stay: StayTimes | None, slots: Sequence[object]) -> list[Problem]:
    """Returns the problem if a venue with a stay has slots."""
    problem = "must be empty at a venue with a stay: it sells nights, not windows"
    return [Problem(("slots",), None, problem)] if stay is not None and slots else []


class ArrivalRule(Rule):
    """Rules for stays that arrive on, or depart from, some dates. All rules that match a date apply."""

    model_config = ConfigDict(serialize_by_alias=True)

    first: CalendarDate | None = Field(default=None, alias="from")
    """The first date it applies to; null: from ever."""
    last: CalendarDate | None = Field(default=None, alias="to")
    """The last date it applies to, included; null: for ever."""
    closed_to_arrival: tuple[Day, ...] = Field(default=(), max_length=7)
    """Weekdays of these dates on which no stay arrives, MO to SU."""
    closed_to_departure: tuple[Day, ...] = Field(default=(), max_length=7)
    """Weekdays of these dates on which no stay departs, MO to SU."""
    nights_min: StrictInt | None = Field(default=None, ge=1, le=NIGHTS_LIMIT)
    """The shortest stay that arrives on one of these dates."""
    nights_max: StrictInt | None = Field(default=None, ge=1, le=NIGHTS_LIMIT)
    """The longest stay that arrives on one of these dates."""

    @model_validator(mode="after")
    def _in_order(self) -> ArrivalRule:
        if self.first is not None and self.last is not None and self.first > self.last:
            refuse(
                "ArrivalRule", [Problem(("from",), str(self.first), f"must not be after to ({self.last})")]
            )
        refuse("ArrivalRule", nights_in_order(self.nights_min, self.nights_max))
        return self

    def covers(self, day: date) -> bool:
        """Whether it applies to that date."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


def nights_in_order(least: int | None, most: int | None) -> list[Problem]:
    """Returns the problem if the shortest stay would be longer than the longest one."""
    if least is None or most is None or least <= most:
        return []
    return [Problem(("nights_min",), least, f"must be at most nights_max ({most})")]


@dataclass(frozen=True, slots=True)
class Nights:
    """The nights of a stay: the date of the first one, and how many, 1 or more."""

    arrival: date
    count: int

    @property
    def departure(self) -> date:
        """The date of check-out."""
        return self.arrival + self.count * _DAY

    def dates(self) -> Iterator[date]:
        """Yields the date of each night."""
        return (self.arrival + number * _DAY for number in range(self.count))


def span_of(stay: StayTimes, nights: Nights, tz: ZoneInfo) -> Span:
    """Returns the stay from check-in to check-out, in wall time whatever clocks do in between."""
    return Span(check_in_on(stay, nights.arrival, tz), check_out_on(stay, nights.departure, tz))


def check_in_on(stay: StayTimes, day: date, tz: ZoneInfo) -> datetime:
    """Returns the instant of check-in on that date."""
    return _at(stay.check_in, day, tz)


def check_out_on(stay: StayTimes, day: date, tz: ZoneInfo) -> datetime:
    """Returns the instant of check-out on that date."""
    return _at(stay.check_out, day, tz)


def nights_of(stay: StayTimes, span: Span, tz: ZoneInfo) -> Nights:
    """Returns the nights that a span touches: who is there until check-out has had the night before, who comes after it
    has the night to come; who stays past check-in has the next night too."""
    arrival = arrival_of(stay, span.start, tz)
    # By instants: where clocks skip check-out and check-in, both are when the gap ends.
    departure = to_wall(span.end, tz).date()
    if span.end > check_in_on(stay, departure, tz):
        departure += _DAY
    return Nights(arrival, max((departure - arrival).days, 1))


def nights_begin(stay: StayTimes, span: Span, tz: ZoneInfo) -> tuple[datetime, ...]:
    """Returns the wall time of check-in on the date of each night that a span touches."""
    return tuple(_wall(stay.check_in, night) for night in nights_of(stay, span, tz).dates())


def arrival_of(stay: StayTimes, start: datetime, tz: ZoneInfo) -> date:
    """Returns the date of the night that somebody has who comes at that instant: until check-out, the night before."""
    day = to_wall(start, tz).date()
    return day if start >= check_out_on(stay, day, tz) else day - _DAY


def count_of(stay: StayTimes, minutes: int) -> int:
    """Returns how many nights a stay of so many minutes has, from check-in to check-out; 1 or more."""
    return max(round((timedelta(minutes=minutes) + stay.gap) / _DAY), 1)


def minutes_of_nights(stay: StayTimes, count: int) -> int:
    """Returns the minutes on the clock of a stay of so many nights."""
    return (count * _DAY - stay.gap) // timedelta(minutes=1)


def _at(clock: str, day: date, tz: ZoneInfo) -> datetime:
    return instant_of(_wall(clock, day), tz)


def _wall(clock: str, day: date) -> datetime:
    return midnight_of(day) + timedelta(minutes=minutes_of(clock))
