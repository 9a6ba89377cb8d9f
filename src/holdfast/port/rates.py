"""Price rules, made ready for matching, and which of them may count for a visit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from holdfast.kernel.span import Span
from holdfast.place.opening.hours import to_wall
from holdfast.place.opening.spans import DAY_MINUTES, DAYS, minutes_of
from holdfast.place.prices.rules import PriceRule, PriceUnit
from holdfast.place.venue import Resource
from holdfast.port.lines import Term, ppm_of

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_US = timedelta(microseconds=1)
HOUR_US = 3_600_000_000


class Visit(NamedTuple):
    """What a price is asked for. `now`: when it is booked; None: prices that depend on the lead time do not apply.
    `nights`: at a venue that sells nights, the wall time at which each begins; None elsewhere."""

    span: Span
    party_size: int
    slot_id: str | None = None
    now: datetime | None = None
    nights: tuple[datetime, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rate:
    """A price rule, made ready.

    `is_whole`: it is for the whole booking, per booking or guest. `is_timeless`: it has no condition on the time.
    `is_for_all`: it has no condition on the visit. `opens`, `closes`: its window in minutes from midnight of its day;
    `closes` may be on the next day.
    """

    rule: PriceRule
    order: int
    label: str
    per: PriceUnit
    unit_minor: int
    tax_ppm: int
    is_whole: bool
    is_timeless: bool
    is_for_all: bool
    opens: int
    closes: int
    weekdays: frozenset[int]

    @classmethod
    def of(cls, rule: PriceRule, order: int, *, unit_minor: int, tax_percent: Decimal) -> Rate:
        opens, closes = minutes_of(rule.start or "00:00"), minutes_of(rule.end or "24:00")
        visit = (
            rule.party_size_min,
            rule.party_size_max,
            rule.slots,
            rule.lead_minutes_min,
            rule.lead_minutes_max,
        )
        time = (rule.days, rule.start, rule.end, rule.from_, rule.to)
        return cls(
            rule,
            order,
            label=rule.label or rule.per.capitalize(),
            per=rule.per,
            unit_minor=unit_minor,
            tax_ppm=ppm_of(tax_percent if rule.tax_percent is None else rule.tax_percent),
            is_whole=rule.per in ("booking", "guest"),
            is_timeless=all(each is None for each in time),
            is_for_all=all(each is None for each in visit),
            opens=opens,
            closes=closes if closes > opens else closes + DAY_MINUTES,
            weekdays=frozenset(DAYS.index(day) for day in rule.days or DAYS),
        )

    def is_on(self, resource: Resource) -> bool:
        """Returns whether the rule applies to the resource."""
        rule = self.rule
        return (
            (rule.kinds is None or resource.kind in rule.kinds)
            and (rule.zones is None or resource.zone in rule.zones)
            and (rule.groups is None or resource.group in rule.groups)
            and all(resource.attributes.get(key) == value for key, value in (rule.attributes or {}).items())
        )

    def is_for(self, visit: Visit) -> bool:
        """Returns whether the rule applies to the party, slot and lead time."""
        rule = self.rule
        return self.is_for_all or (
            (rule.party_size_min or 0) <= visit.party_size
            and (rule.party_size_max is None or visit.party_size <= rule.party_size_max)
            and (rule.slots is None or visit.slot_id in rule.slots)
            and self._is_in_time(visit)
        )

    def _is_in_time(self, visit: Visit) -> bool:
        least, most = self.rule.lead_minutes_min, self.rule.lead_minutes_max
        if least is None and most is None:
            return True
        if visit.now is None:
            return False
        lead = max(visit.span.start - visit.now, timedelta())
        return (least is None or least * _MINUTE <= lead) and (most is None or lead <= most * _MINUTE)

    def covers(self, wall: datetime) -> bool:
        """Returns whether the local time is in the rule's window on one of its days."""
        day, minute = wall.date(), wall.hour * 60 + wall.minute
        return any(start <= minute < end for start, end in self.on_day(day))

    def on_day(self, day: date) -> Iterator[tuple[int, int]]:
        """Yields the minutes of the day that are in the rule's window, as [start, end). A window that crosses
        midnight belongs to the day it starts on."""
        if self.closes > DAY_MINUTES and self._is_on_date(day - _DAY):
            yield 0, self.closes - DAY_MINUTES
        if self._is_on_date(day):
            yield self.opens, min(self.closes, DAY_MINUTES)

    def _is_on_date(self, day: date) -> bool:
        return day.weekday() in self.weekdays and self.rule.includes(day)

    def term(self, times: int, party_size: int) -> Term:
        """Returns what is charged. `times`: microseconds for a rule per hour, nights for one per night."""
        if self.per == "hour":
            return Term(self.label, self.unit_minor, self.tax_ppm, times, HOUR_US)
        return Term(self.label, self.unit_minor, self.tax_ppm, party_size if self.per == "guest" else times)


class Counting:
    """The rates that may count at some moment of a visit, in order: none follows one that always counts."""

    __slots__ = ("first", "hourly", "nightly", "rates", "whole")

    def __init__(self, rates: Sequence[Rate]) -> None:
        self.rates = rates
        self.first = rates[0] if rates else None
        self.hourly = tuple([each for each in rates if each.per == "hour"])
        self.nightly = tuple([each for each in rates if each.per == "night"])
        self.whole = rates[-1] if rates and rates[-1].is_whole else None


class RateList:
    """The rates that apply to a resource, in order. `counting`: those that may count for any visit; None if that
    depends on the visit."""

    __slots__ = ("counting", "rates")

    def __init__(self, rates: Sequence[Rate]) -> None:
        self.rates = tuple(rates)
        first = next((n for n, each in enumerate(self.rates, 1) if each.is_timeless), len(self.rates))
        counting = self.rates[:first]
        depends = any(not each.is_for_all or (each.is_whole and not each.is_timeless) for each in counting)
        self.counting = None if depends else Counting(counting)


def counting_for(rates: Sequence[Rate], visit: Visit, tz: ZoneInfo) -> Counting:
    """Returns the rates that may count for the visit."""
    wall = visit.span.start.astimezone(tz)
    found: list[Rate] = []
    for rate in rates:
        if not rate.is_for(visit):
            continue
        if not rate.is_whole or rate.is_timeless or rate.covers(wall):
            found.append(rate)
            if rate.is_whole or rate.is_timeless:
                break
    return Counting(found)


def hours_us(span: Span, *, exact: bool) -> int:
    """Returns the time that is charged per hour, in microseconds: what passes, up to the next whole hour unless
    `exact`."""
    passed = (span.end - span.start) // _US
    return passed if exact else passed + -passed % HOUR_US


def nights_of(visit: Visit, tz: ZoneInfo) -> int:
    """Returns the number of nights: of the stay or, where none are sold, by the calendar, at least 1."""
    if visit.nights is not None:
        return len(visit.nights)
    return max((to_wall(visit.span.end, tz).date() - to_wall(visit.span.start, tz).date()).days, 1)
