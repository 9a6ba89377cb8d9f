"""Pricing: the port, and the local price rules as its default."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Protocol

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.money import minor_units
from holdfast.kernel.span import Span
from holdfast.place.opening.hours import to_wall
from holdfast.place.opening.spans import DAYS
from holdfast.place.policy import PriceRule
from holdfast.place.venue import Resource, Venue

SECONDS_PER_HOUR = 3600
PRICES_KEPT_MAX = 4096
BIGINT_MAX = 2**63 - 1  # PostgreSQL's bigint


@dataclass(frozen=True, slots=True)
class Price:
    """The agreed price, in minor units of the currency; total = base + tax - discount."""

    base_minor: int
    tax_minor: int
    discount_minor: int
    currency: str
    source: str


class Pricing(Protocol):
    """Anything that can quote prices."""

    def quote(self, *, venue: Venue, resources: list[Resource], span: Span, party_size: int) -> Price:
        """Returns the price of the party's stay on all the resources together."""
        ...


class LocalPricing:
    """Applies the price rules of the venue's policy: the first one that matches the booking.

    Prices per hour or night apply to each resource; prices per booking or guest apply once. Without a matching rule the
    price is 0. `price_source` is `local`.
    """

    def quote(self, *, venue: Venue, resources: list[Resource], span: Span, party_size: int) -> Price:
        rules = venue.policy.price_rules
        if not rules:
            return Price(0, 0, 0, venue.currency, "local")
        wall = to_wall(span.start, venue.tz)
        kinds = frozenset([resource.kind for resource in resources])
        zones = frozenset([resource.zone for resource in resources if resource.zone])
        for rule in rules:
            if matches(rule, kinds=kinds, zones=zones, party_size=party_size, wall=wall):
                times = _times(rule, venue, span, party_size=party_size, resources=len(resources))
                return _price(rule.amount, times, venue.policy.tax_percent, venue.currency)
        return Price(0, 0, 0, venue.currency, "local")


def matches(
    rule: PriceRule, *, kinds: frozenset[str], zones: frozenset[str], party_size: int, wall: datetime
) -> bool:
    """Returns whether the rule is for a booking. `kinds` and `zones`: of its resources. `wall`: its local start."""
    return (
        (rule.kinds is None or not kinds.isdisjoint(rule.kinds))
        and (rule.zones is None or not zones.isdisjoint(rule.zones))
        and (rule.party_size_min or 0) <= party_size
        and (rule.party_size_max is None or party_size <= rule.party_size_max)
        and _covers(rule, wall)
    )


def _covers(rule: PriceRule, wall: datetime) -> bool:
    opens, closes = rule.start or "00:00", rule.end or "24:00"
    minute = f"{wall.hour:02}:{wall.minute:02}"  # wall times sort as texts
    crosses = closes <= opens
    if opens <= minute < ("24:00" if crosses else closes):
        return _is_day(rule, wall)
    return crosses and minute < closes and _is_day(rule, wall - timedelta(days=1))


def _is_day(rule: PriceRule, wall: datetime) -> bool:
    return rule.days is None or DAYS[wall.weekday()] in rule.days


def _times(rule: PriceRule, venue: Venue, span: Span, *, party_size: int, resources: int) -> int:
    """Returns how many times the rule's amount is charged. Begun hours and nights count in full."""
    match rule.per:
        case "booking":
            return 1
        case "guest":
            return party_size
        case "hour":
            return math.ceil((span.end - span.start).total_seconds() / SECONDS_PER_HOUR) * resources
        case "night":
            nights = to_wall(span.end, venue.tz).date() - to_wall(span.start, venue.tz).date()
            return max(nights.days, 1) * resources


@lru_cache(maxsize=PRICES_KEPT_MAX)  # decimal arithmetic is slow, and a venue has few prices
def _price(amount: Decimal, times: int, tax_percent: Decimal, currency: str) -> Price:
    base_minor = _rounded(amount * times * Decimal(10) ** minor_units(currency))
    price = Price(base_minor, _rounded(base_minor * tax_percent / 100), 0, currency, "local")
    if price.base_minor + price.tax_minor > BIGINT_MAX:
        raise InvalidRequest.of(
            "duration_minutes", None, "the price is too large: book less time or fewer resources"
        )
    return price


def _rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
