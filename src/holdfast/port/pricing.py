"""Pricing: the port, and the venue's own rules as its default."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, Protocol
from uuid import UUID

from holdfast.kernel.money import minor_units
from holdfast.kernel.span import Span
from holdfast.place.opening.stay import nights_begin
from holdfast.place.prices.sold import Discount, Extra
from holdfast.place.venue import Resource, Venue
from holdfast.port.charging import Plan, charge_in_turn, paint
from holdfast.port.lines import MILLION, Price, PriceLine, Term, Terms, add_up, line_of, ppm_of, rounded
from holdfast.port.rates import HOUR_US, Rate, RateList, Visit, counting_for, hours_us, nights_of

BOOKS_CACHED_MAX = 4096
PLANS_CACHED_MAX = 4096
PRICES_CACHED_MAX = 4096
Part = tuple[Sequence[Resource], int]
"""The resources of one thing of an order, and its guests."""


class PartPrice(NamedTuple):
    """What one thing of an order adds to its price: lines, and a minimum spend in minor units."""

    lines: tuple[PriceLine, ...]
    minimum_spend_minor: int


class Pricing(Protocol):
    """Anything that can quote prices."""

    def quote(
        self,
        *,
        venue: Venue,
        resources: Sequence[Resource],
        span: Span,
        party_size: int,
        slot_id: str | None = None,
        now: datetime | None = None,
        extras: Sequence[tuple[Extra, int]] = (),
        discount: Discount | None = None,
    ) -> Price:
        """Returns the price of the party's visit on all the resources together.

        `slot_id`: the slot that it is for, if any. `now`: when it is booked; None: prices that depend on the lead time
        do not apply. `extras`: what is taken beside the place, with quantities.
        Raises InvalidRequest if the price is too large to store.
        """
        ...

    def quote_order(
        self,
        *,
        venue: Venue,
        parts: Sequence[Part],
        span: Span,
        slot_id: str | None = None,
        now: datetime | None = None,
        extras: Sequence[tuple[Extra, int]] = (),
        discount: Discount | None = None,
    ) -> tuple[Price, Sequence[PartPrice]]:
        """Like `quote`, for several things in one order: the price of all, and what each adds to it."""
        ...


class LocalPricing:
    """Applies the price rules of the venue's policy. `price_source` is `local`."""

    def __init__(self) -> None:
        self._books: dict[UUID, PriceBook] = {}

    def quote(
        self,
        *,
        venue: Venue,
        resources: Sequence[Resource],
        span: Span,
        party_size: int,
        slot_id: str | None = None,
        now: datetime | None = None,
        extras: Sequence[tuple[Extra, int]] = (),
        discount: Discount | None = None,
    ) -> Price:
        nights = None if venue.stay is None else nights_begin(venue.stay, span, venue.tz)
        return self._book(venue).price(
            resources, Visit(span, party_size, slot_id, now, nights), extras, discount
        )

    def quote_order(
        self,
        *,
        venue: Venue,
        parts: Sequence[Part],
        span: Span,
        slot_id: str | None = None,
        now: datetime | None = None,
        extras: Sequence[tuple[Extra, int]] = (),
        discount: Discount | None = None,
    ) -> tuple[Price, Sequence[PartPrice]]:
        nights = None if venue.stay is None else nights_begin(venue.stay, span, venue.tz)
        visits = [(resources, Visit(span, size, slot_id, now, nights)) for resources, size in parts]
        return self._book(venue).price_order(visits, extras, discount)

    def _book(self, venue: Venue) -> PriceBook:
        book = self._books.get(venue.id)
        if book is not None and book.venue is venue:
            return book
        if len(self._books) >= BOOKS_CACHED_MAX:
            self._books.pop(next(iter(self._books)), None)
        book = self._books[venue.id] = PriceBook(venue)
        return book


class PriceBook:
    """The price rules of a venue at one version of its rules.

    At every moment, and on each resource, the first rule that matches counts. A rule per hour is matched with the
    moment itself, a rule per night with the night that the moment is in, a rule per booking or guest with the start of
    the booking. What is charged for each rule: the hours in which it counted, added up; the nights; the booking or its
    guests once.
    """

    def __init__(self, venue: Venue) -> None:
        policy = venue.policy
        self.venue = venue
        self._terms = Terms(venue.currency, policy.tax_included, ppm_of(policy.deposit_percent))
        self._minor = Decimal(10) ** minor_units(venue.currency)
        self._rates = [
            Rate.of(rule, order, unit_minor=self._in_minor(rule.amount), tax_percent=policy.tax_percent)
            for order, rule in enumerate(policy.price_rules)
        ]
        self._is_exact = policy.hour_counting == "exact"
        self._has_minimum = any(each.minimum_spend for each in venue.resources.values())
        self._on: dict[UUID, tuple[Resource, RateList]] = {}
        self._lists: dict[tuple[Rate, ...], RateList] = {}
        self._prices: dict[object, Price] = {}
        self._plans: dict[tuple[tuple[Rate, ...], date], Plan] = {}
        self._free = add_up((), self._terms)

    def price(
        self,
        resources: Sequence[Resource],
        visit: Visit,
        extras: Sequence[tuple[Extra, int]] = (),
        discount: Discount | None = None,
    ) -> Price:
        """Returns the price of the visit on all the resources together. Raises InvalidRequest if it is too large."""
        if not self._rates and not self._has_minimum and not extras:
            return self._free
        minimum = self._minimum(resources) if self._has_minimum else 0
        charged = self._charged(resources, visit)
        sold = tuple([self._sold(*each, visit) for each in extras]) if extras else ()
        code = None if discount is None else discount.code
        asked = (*charged.items(), *sold, visit.party_size, minimum, code)
        price = self._prices.get(asked)
        if price is None:
            if len(self._prices) >= PRICES_CACHED_MAX:
                self._prices.clear()
            lines = [line_of(term) for term in (*_terms_of(charged, visit), *sold)]
            off = self._off(lines, discount)
            price = add_up(lines, self._terms, discount_minor=off, minimum_spend_minor=minimum)
            self._prices[asked] = price
        return price

    def price_order(
        self,
        visits: Sequence[tuple[Sequence[Resource], Visit]],
        extras: Sequence[tuple[Extra, int]] = (),
        discount: Discount | None = None,
    ) -> tuple[Price, Sequence[PartPrice]]:
        """Returns the price of all these visits together, and what each adds to it. Raises InvalidRequest if it is too
        large."""
        parts = [
            PartPrice(
                tuple([line_of(term) for term in _terms_of(self._charged(resources, visit), visit)]),
                self._minimum(resources),
            )
            for resources, visit in visits
        ]
        sold = [line_of(self._sold(*each, visits[0][1])) for each in extras]
        lines = [*(line for part in parts for line in part.lines), *sold]
        minimum, off = sum(part.minimum_spend_minor for part in parts), self._off(lines, discount)
        price = add_up(lines, self._terms, discount_minor=off, minimum_spend_minor=minimum)
        return price, parts

    def _charged(self, resources: Sequence[Resource], visit: Visit) -> dict[Rate, int]:
        """Returns what is charged of each rate on all the resources, in order of time."""
        if len(resources) == 1 and resources[0].takes == "party":
            return self._charge(self._rates_on(resources[0]), visit)
        charged: dict[Rate, int] = {}
        counts = Counter[RateList]()
        for each in resources:
            counts[self._rates_on(each)] += visit.party_size if each.takes == "guests" else 1
        for rates, count in counts.items():
            for rate, many in self._charge(rates, visit).items():
                charged[rate] = 1 if rate.is_whole else charged.get(rate, 0) + many * count
        return charged

    def _charge(self, rates: RateList, visit: Visit) -> dict[Rate, int]:
        """Returns what counts of each rate on one resource: microseconds, nights, or 1 for the whole booking."""
        tz, exact = self.venue.tz, self._is_exact
        counting = rates.counting or counting_for(rates.rates, visit, tz)
        first = counting.first
        if first is None:
            return {}
        if first.is_whole:
            return {first: 1}
        if not first.is_timeless:
            return charge_in_turn(counting, visit, tz, exact=exact, plan=self._plan)
        if first.per == "night":
            return {first: nights_of(visit, tz)}
        return {first: hours_us(visit.span, exact=exact)}

    def _rates_on(self, resource: Resource) -> RateList:
        known = self._on.get(resource.id)
        if known is None or known[0] is not resource:
            rates = tuple(each for each in self._rates if each.is_on(resource))
            known = self._on[resource.id] = (resource, self._lists.setdefault(rates, RateList(rates)))
        return known[1]

    def _plan(self, rates: tuple[Rate, ...], day: date) -> Plan:
        plan = self._plans.get((rates, day))
        if plan is None:
            if len(self._plans) >= PLANS_CACHED_MAX:
                self._plans.clear()
            plan = self._plans[rates, day] = paint(rates, day)
        return plan

    def _sold(self, extra: Extra, quantity: int, visit: Visit) -> Term:
        times, of = quantity, 1
        if extra.per == "hour":
            times, of = quantity * hours_us(visit.span, exact=self._is_exact), HOUR_US
        elif extra.per == "night":
            times = quantity * nights_of(visit, self.venue.tz)
        tax = self.venue.policy.tax_percent if extra.tax_percent is None else extra.tax_percent
        return Term(extra.name, self._in_minor(extra.amount), ppm_of(tax), times, of)

    def _off(self, lines: Sequence[PriceLine], discount: Discount | None) -> int:
        base = sum(line.amount_minor for line in lines)
        if discount is None:
            return 0
        if discount.amount is not None:
            return min(self._in_minor(discount.amount), base)
        return rounded(base * ppm_of(discount.percent or Decimal(0)), MILLION)

    def _minimum(self, resources: Sequence[Resource]) -> int:
        return sum(self._in_minor(each.minimum_spend) for each in resources if each.minimum_spend)

    def _in_minor(self, amount: Decimal) -> int:
        return int(amount * self._minor)  # documents allow no more decimals than the currency has


def _terms_of(charged: dict[Rate, int], visit: Visit) -> list[Term]:
    return [rate.term(many, visit.party_size) for rate, many in charged.items()]
