"""Prices by the time that really passes, against an oracle that looks at every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.kernel.ids import new_id
from holdfast.kernel.money import format_money
from holdfast.kernel.span import Span
from holdfast.place.document import parse_document
from holdfast.place.kept import snapshot
from holdfast.place.venue import Venue
from holdfast.port.lines import Price, Term, Terms, add_up, line_of
from holdfast.port.pricing import LocalPricing
from tests.port import oracle
from tests.port.drafts import RESOURCES, visits
from tests.port.oracle import Asked

PRICING = LocalPricing()


def venue_of(asked: Asked) -> Venue:
    document = parse_document(
        {
            "slug": "nord",
            "name": "Nord",
            "timezone": asked.timezone,
            "currency": asked.currency,
            "policy": asked.policy,
            "resources": [*RESOURCES],
        }
    )
    ids = {each.slug: new_id() for each in document.resources}
    return snapshot(document, id=new_id(), tenant_id=new_id(), tenant_slug="nord", resource_ids=ids)


def quoted(asked: Asked) -> Price:
    venue = venue_of(asked)
    by_slug = {each.slug: each for each in venue.resources.values()}
    return PRICING.quote(
        venue=venue,
        resources=[by_slug[each["slug"]] for each in asked.resources],
        span=Span(asked.start, asked.end),
        party_size=asked.party_size,
        slot_id=asked.slot_id,
        now=asked.now,
    )


def _money(minor: int, currency: str) -> Decimal:
    return Decimal(format_money(minor, currency))


@given(visits())
@settings(max_examples=50)
def test_it_is_what_every_minute_says(asked: Asked) -> None:
    check(asked)


@pytest.mark.soak
@given(visits(hours_max=200))
@settings(max_examples=5_000)
def test_it_is_so_for_thousands_of_visits(asked: Asked) -> None:
    check(asked)


def check(asked: Asked) -> None:
    price, expected = quoted(asked), oracle.price(asked)
    currency = asked.currency
    assert [_money(each, currency) for each in (price.base_minor, price.tax_minor, price.total_minor)] == [
        expected["base"], expected["tax"], expected["total"],
    ]  # fmt: skip
    lines = [
        (line.label, line.quantity, _money(line.unit_minor, currency), _money(line.amount_minor, currency))
        for line in price.lines
    ]
    shown = [(label, _six_decimals(times), unit, amount) for label, times, unit, amount in expected["lines"]]
    assert sorted(lines) == sorted(shown)
    assert sum(line.amount_minor for line in price.lines) == price.base_minor


def _six_decimals(times: Fraction) -> str:
    text = f"{Decimal(times.numerator) / Decimal(times.denominator):.6f}"
    return text.rstrip("0").rstrip(".")


def asked(start: str, end: str, *rules: dict[str, Any], **policy: Any) -> Asked:
    """A visit to the lane, in wall time of Stockholm."""
    return Asked(
        policy={"price_rules": list(rules), **policy},
        timezone="Europe/Stockholm",
        currency="EUR",
        resources=RESOURCES[:1],
        start=datetime.fromisoformat(start).astimezone(UTC),
        end=datetime.fromisoformat(end).astimezone(UTC),
        party_size=2,
        slot_id=None,
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )


def lines(price: Price) -> list[tuple[str, str, int]]:
    return [(each.label, each.quantity, each.amount_minor) for each in price.lines]


DAY_RATE = {"label": "Day", "per": "hour", "amount": "20.00"}
EVENING = {"label": "Evening", "per": "hour", "amount": "30.00", "start": "17:00"}
WEEKEND = {"label": "Weekend", "per": "night", "amount": "390.00", "days": ["FR", "SA"]}
NIGHT = {"per": "night", "amount": "340.00"}


@pytest.mark.parametrize(
    ("visit", "expected"),
    [
        # A lane from 16 to 18, with a price change at 17.
        (asked("2026-05-06T16:00+02:00", "2026-05-06T18:00+02:00", EVENING, DAY_RATE),
         [("Day", "1", 2000), ("Evening", "1", 3000)]),
        (asked("2026-05-06T16:30+02:00", "2026-05-06T17:30+02:00", EVENING, DAY_RATE),
         [("Day", "0.5", 1000), ("Evening", "0.5", 1500)]),
        # The hour that has begun counts in full, at the price of its last minute.
        (asked("2026-05-06T16:30+02:00", "2026-05-06T17:45+02:00", EVENING, DAY_RATE),
         [("Day", "0.5", 1000), ("Evening", "1.5", 4500)]),
        (asked("2026-05-06T16:30+02:00", "2026-05-06T17:45+02:00", EVENING, DAY_RATE, hour_counting="exact"),
         [("Day", "0.5", 1000), ("Evening", "0.75", 2250)]),
        (asked("2026-05-06T17:00+02:00", "2026-05-06T17:20+02:00", EVENING, DAY_RATE, hour_counting="exact"),
         [("Evening", "0.333333", 1000)]),
        # A hotel from Thursday to Sunday.
        (asked("2026-05-07T15:00+02:00", "2026-05-10T11:00+02:00", WEEKEND, NIGHT),
         [("Night", "1", 34000), ("Weekend", "2", 78000)]),
        # 25 October 2026: from 2 to 3 is repeated. 29 March: it is skipped.
        (asked("2026-10-25T01:00+02:00", "2026-10-25T04:00+01:00", DAY_RATE), [("Day", "4", 8000)]),
        (asked("2026-03-29T01:00+01:00", "2026-03-29T04:00+02:00", DAY_RATE), [("Day", "2", 4000)]),
        (asked("2026-10-25T01:00+02:00", "2026-10-25T04:00+01:00",
               {"label": "Small hours", "per": "hour", "amount": "1", "start": "02:00", "end": "03:00"}, DAY_RATE),
         [("Day", "2", 4000), ("Small hours", "2", 200)]),
        # What is charged for the whole booking is charged once, for what earlier rules leave.
        (asked("2026-05-06T16:00+02:00", "2026-05-06T18:00+02:00", EVENING, {"per": "booking", "amount": "5"}),
         [("Booking", "1", 500), ("Evening", "1", 3000)]),
        (asked("2026-05-06T17:00+02:00", "2026-05-06T18:00+02:00", EVENING, {"per": "booking", "amount": "5"}),
         [("Evening", "1", 3000)]),
        (asked("2026-05-06T18:00+02:00", "2026-05-06T19:00+02:00", {"per": "guest", "amount": "5"}, EVENING),
         [("Guest", "2", 1000)]),
        # Nobody pays for what no rule is about.
        (asked("2026-05-06T16:00+02:00", "2026-05-06T18:00+02:00", EVENING), [("Evening", "1", 3000)]),
        (asked("2026-05-06T12:00+02:00", "2026-05-06T14:00+02:00", EVENING), []),
    ],
)  # fmt: skip
def test_examples(visit: Asked, expected: list[tuple[str, str, int]]) -> None:
    assert lines(quoted(visit)) == expected


def test_taxes_are_rounded_once_for_each_rate() -> None:
    sold = [
        line_of(Term("A", 333, 250_000, 1)),
        line_of(Term("B", 333, 250_000, 1)),
        line_of(Term("C", 999, 60_000, 1)),
    ]
    added = add_up(sold, Terms("EUR", tax_included=False, deposit_ppm=0))
    # 25 % of 6.66 is 1.665, 6 % of 9.99 is 0.5994.
    assert (added.base_minor, added.tax_minor, added.total_minor) == (1665, 167 + 60, 1892)
    included = add_up(sold, Terms("EUR", tax_included=True, deposit_ppm=0))
    # Of 6.66 with 25 % in it that is 1.332, of 9.99 with 6 % 0.5655.
    assert (included.base_minor, included.tax_minor, included.total_minor) == (1665, 133 + 57, 1665)


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from([0, 60_000, 250_000])), min_size=1, max_size=6),
    st.integers(0, 10**6),
    st.booleans(),
)
def test_a_discount_is_spread_over_the_rates(sold: list[tuple[int, int]], off: int, included: bool) -> None:
    lines = [line_of(Term("A", amount, ppm, 1)) for amount, ppm in sold]
    base = sum(amount for amount, _ in sold)
    off = min(off, base)
    price = add_up(lines, Terms("EUR", tax_included=included, deposit_ppm=0), discount_minor=off)
    assert (price.base_minor, price.discount_minor) == (base, off)
    assert price.total_minor == base - off + (0 if included else price.tax_minor)
    left = Fraction(base - off, base) if base else Fraction(0)
    parts = {
        0: Fraction(0),
        60_000: Fraction(6, 106 if included else 100),
        250_000: Fraction(25, 125 if included else 100),
    }
    exact = sum(amount * left * parts[ppm] for amount, ppm in sold)
    # Each rate is rounded once, and so is its share of the discount.
    assert abs(price.tax_minor - exact) <= len(parts)


def test_the_deposit_is_a_part_of_the_total_or_of_the_minimum_spend() -> None:
    sold = [line_of(Term("A", 1001, 0, 1))]
    terms = Terms("EUR", tax_included=False, deposit_ppm=500_000)
    assert add_up(sold, terms).deposit_minor == 501
    assert add_up(sold, terms, minimum_spend_minor=100_000).deposit_minor == 50_000
    assert add_up(sold, terms, minimum_spend_minor=100_000).total_minor == 1001


def test_a_long_stay_at_hourly_prices_is_quick_to_price() -> None:
    bands = [
        {"per": "hour", "amount": "1", "start": f"{n // 60:02}:{n % 60:02}", "days": ["MO", "TU"]}
        for n in range(99)
    ]
    start = datetime(2026, 5, 4, tzinfo=UTC)
    long = asked(start.isoformat(), (start + timedelta(days=366)).isoformat(), *bands)
    assert quoted(long).base_minor > 0
