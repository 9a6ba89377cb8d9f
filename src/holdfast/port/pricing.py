"""What a booking costs: the port, and the local price rules that are its default."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Protocol

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.money import format_money, minor_units
from holdfast.kernel.span import Span
from holdfast.place.opening.hours import to_wall
from holdfast.place.policy import PriceRule
from holdfast.place.venue import Resource, Venue

SECONDS_PER_HOUR = 3600
PRICES_KEPT_MAX = 4096
BIGINT_MAX = 2**63 - 1  # what the database can hold


@dataclass(frozen=True, slots=True)
class Price:
    """What was agreed, in minor units of the currency; total = base + tax - discount."""

    base_minor: int
    tax_minor: int
    discount_minor: int
    currency: str
    source: str

    @property
    def total_minor(self) -> int:
        return self.base_minor + self.tax_minor - self.discount_minor

    def as_json(self) -> dict[str, str]:
        """Decimal strings, under the names a booking carries them by."""
        return {
            "base_price": format_money(self.base_minor, self.currency),
            "tax_amount": format_money(self.tax_minor, self.currency),
            "discount_amount": format_money(self.discount_minor, self.currency),
            "total_price": format_money(self.total_minor, self.currency),
            "currency": self.currency,
            "price_source": self.source,
        }


class Pricing(Protocol):
    """Whoever knows the price of a booking."""

    def quote(self, *, venue: Venue, resources: list[Resource], span: Span, party_size: int) -> Price:
        """The price of the party's stay on all the resources together."""
        ...


class LocalPricing:
    """The price rules of the venue's policy: the first that fits the booking.

    An hour or a night is paid for each resource, a booking or a guest once. No rule that fits: it costs
    nothing. `price_source` is `local`.
    """

    def quote(self, *, venue: Venue, resources: list[Resource], span: Span, party_size: int) -> Price:
        rules = venue.policy.price_rules
        if not rules:
            return Price(0, 0, 0, venue.currency, "local")
        wall = to_wall(span.start, venue.tz)
        kinds = frozenset([resource.kind for resource in resources])
        zones = frozenset([resource.zone for resource in resources if resource.zone])
        for rule in rules:
            if rule.matches(kinds=kinds, zones=zones, party_size=party_size, wall_start=wall):
                times = _times(rule, venue, span, party_size=party_size, resources=len(resources))
                return _price(rule.amount, times, venue.policy.tax_percent, venue.currency)
        return Price(0, 0, 0, venue.currency, "local")


def _times(rule: PriceRule, venue: Venue, span: Span, *, party_size: int, resources: int) -> int:
    """How many times the rule's amount is due. An hour or a night that was begun counts whole."""
    match rule.per:
        case "booking":
            return 1
        case "guest":
            return party_size
        case "hour":
            return math.ceil(span.duration.total_seconds() / SECONDS_PER_HOUR) * resources
        case "night":
            nights = to_wall(span.end, venue.tz).date() - to_wall(span.start, venue.tz).date()
            return max(nights.days, 1) * resources


@lru_cache(maxsize=PRICES_KEPT_MAX)  # decimals take their time, and a venue has few prices
def _price(amount: Decimal, times: int, tax_percent: Decimal, currency: str) -> Price:
    base_minor = _rounded(amount * times * Decimal(10) ** minor_units(currency))
    price = Price(base_minor, _rounded(base_minor * tax_percent / 100), 0, currency, "local")
    if price.total_minor > BIGINT_MAX:
        raise InvalidRequest.of(
            "duration_minutes", None, "so much time on so many resources is beyond any price"
        )
    return price


def _rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
