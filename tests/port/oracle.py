"""Prices found the slow way: every minute of a visit is looked at for itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
DECIMALS = {"JPY": 0, "EUR": 2, "KWD": 3}
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
Rule = dict[str, Any]


@dataclass
class Bill:
    """How much of each rule, by its place in the list."""

    minutes: dict[int, int] = field(default_factory=dict)
    nights: dict[int, int] = field(default_factory=dict)
    whole: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Asked:
    """A visit as the oracle sees it: all in the words of documents."""

    policy: dict[str, Any]
    timezone: str
    currency: str
    resources: Sequence[dict[str, Any]]
    start: datetime
    end: datetime
    party_size: int
    slot_id: str | None
    now: datetime


def price(asked: Asked) -> dict[str, Any]:
    """What bookings say: lines without their order, and the sums."""
    rules: list[Rule] = asked.policy.get("price_rules", [])
    bill = Bill()
    for resource in asked.resources:
        _add(bill, rules, resource, asked)
    lines: list[tuple[str, Fraction, Decimal, Decimal, Decimal]] = []
    for number, rule in enumerate(rules):
        times = Fraction(bill.minutes.get(number, 0), 60) + bill.nights.get(number, 0)
        if number in bill.whole:
            times = Fraction(asked.party_size if rule["per"] == "guest" else 1)
        if times:
            unit = Decimal(rule["amount"])
            amount = _half_up(Decimal(times.numerator) * unit / Decimal(times.denominator), asked.currency)
            rate = Decimal(str(rule.get("tax_percent", asked.policy.get("tax_percent", 0))))
            label = rule.get("label", rule["per"].capitalize())
            lines.append((label, times, unit, amount, rate))
    base = sum((line[3] for line in lines), Decimal(0))
    tax = sum((_tax(lines, rate, asked) for rate in {line[4] for line in lines}), Decimal(0))
    included = asked.policy.get("tax_included", False)
    return {
        "lines": sorted(line[:4] for line in lines),
        "base": base,
        "tax": tax,
        "total": base if included else base + tax,
    }


def _add(bill: Bill, rules: Sequence[Rule], resource: dict[str, Any], asked: Asked) -> None:
    tz = ZoneInfo(asked.timezone)
    arrival, departure = (
        each.astimezone(tz).replace(tzinfo=None, fold=0) for each in (asked.start, asked.end)
    )
    nights = max((departure.date() - arrival.date()).days, 1)
    seen: set[int] = set()
    units = asked.party_size if resource.get("takes") == "guests" else 1
    last, minutes = -1, 0
    at = asked.start
    while at < asked.end:
        wall = at.astimezone(tz).replace(tzinfo=None, fold=0)
        night = (wall.date() - arrival.date()).days - (wall.time() < arrival.time())
        night = min(max(night, 0), nights - 1)
        by = {"hour": wall, "night": arrival + night * DAY, "booking": arrival, "guest": arrival}
        number = next(
            (n for n, rule in enumerate(rules) if _matches(rule, resource, asked, by[rule["per"]])), None
        )
        if number is not None:
            match rules[number]["per"]:
                case "hour":
                    bill.minutes[number] = bill.minutes.get(number, 0) + units
                    last, minutes = number, minutes + 1
                case "night" if night not in seen:
                    seen.add(night)
                    bill.nights[number] = bill.nights.get(number, 0) + units
                case "booking" | "guest":
                    bill.whole.add(number)
        at += MINUTE
    if last >= 0 and asked.policy.get("hour_counting", "begun") == "begun":
        bill.minutes[last] += -minutes % 60 * units


def _matches(rule: Rule, resource: dict[str, Any], asked: Asked, wall: datetime) -> bool:
    lead = max(asked.start.astimezone(UTC) - asked.now, timedelta()) / MINUTE
    return (
        resource["kind"] in rule.get("kinds", [resource["kind"]])
        and (resource.get("zone") in rule["zones"] if "zones" in rule else True)
        and (resource.get("group") in rule["groups"] if "groups" in rule else True)
        and rule.get("attributes", {}).items() <= resource.get("attributes", {}).items()
        and (asked.slot_id in rule["slots"] if "slots" in rule else True)
        and rule.get("party_size_min", 1) <= asked.party_size <= rule.get("party_size_max", 10**6)
        and rule.get("lead_minutes_min", 0) <= lead <= rule.get("lead_minutes_max", 10**9)
        and any(_is_dated(rule, day) for day in _days_of(rule, wall))
    )


def _days_of(rule: Rule, wall: datetime) -> Iterator[date]:
    """The days whose window the wall time is in."""
    for days in (0, 1):
        midnight = datetime.combine(wall.date() - days * DAY, datetime.min.time())
        opens, closes = (midnight + _since_midnight(text) for text in _window(rule))
        if closes <= opens:
            closes += DAY
        if opens <= wall < closes:
            yield midnight.date()


def _window(rule: Rule) -> tuple[str, str]:
    return rule.get("start", "00:00"), rule.get("end", "24:00")


def _since_midnight(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _is_dated(rule: Rule, day: date) -> bool:
    return DAYS[day.weekday()] in rule.get("days", DAYS) and rule.get(
        "from", "0001-01-01"
    ) <= day.isoformat() <= rule.get("to", "9999-12-31")


def _tax(lines: Sequence[tuple[Any, ...]], rate: Decimal, asked: Asked) -> Decimal:
    amount = sum((line[3] for line in lines if line[4] == rate), Decimal(0))
    part = rate / (100 + rate) if asked.policy.get("tax_included") else rate / 100
    return _half_up(amount * part, asked.currency)


def _half_up(amount: Decimal, currency: str) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-DECIMALS[currency]), ROUND_HALF_UP)
