"""The lines of a price and what they add up to, in integers: nothing here is rounded but what is said to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.value import value

BIGINT_MAX = 2**63 - 1  # PostgreSQL's bigint
MILLION = 1_000_000
QUANTITY_STEP = Decimal("0.000001")


@value()
class PriceLine:
    """One line of a price. `quantity`: a decimal string, such as `1.5` hours. `unit_minor`, `amount_minor`: in minor
    units. `tax_ppm`: its tax in parts per million: 250000 is 25 %."""

    label: str
    quantity: str
    unit_minor: int
    amount_minor: int
    tax_ppm: int


@value()
class Price:
    """The agreed price, in minor units of the currency.

    The lines add up to the base. `total_minor`: the base, plus the tax unless it is included in the base, minus the
    discount. `minimum_spend_minor`: what the party has to spend there; no part of the total. `deposit_minor`: what is
    paid in advance."""

    base_minor: int
    tax_minor: int
    discount_minor: int
    total_minor: int
    currency: str
    source: str
    tax_included: bool = False
    lines: tuple[PriceLine, ...] = ()
    minimum_spend_minor: int = 0
    deposit_minor: int = 0


class Term(NamedTuple):
    """What a line is made of: `unit_minor` times `times / of`."""

    label: str
    unit_minor: int
    tax_ppm: int
    times: int
    of: int = 1


class Terms(NamedTuple):
    """How a venue adds up its lines. `deposit_ppm`: the deposit in parts per million."""

    currency: str
    tax_included: bool
    deposit_ppm: int


def line_of(term: Term) -> PriceLine:
    """Returns the line, its amount rounded half up to the minor unit."""
    amount = rounded(term.unit_minor * term.times, term.of)
    return PriceLine(term.label, quantity(term.times, term.of), term.unit_minor, amount, term.tax_ppm)


@lru_cache(maxsize=4096)
def quantity(times: int, of: int) -> str:
    """Returns the quotient as a decimal string with at most 6 decimals."""
    whole, part = divmod(times, of)
    if not part:
        return str(whole)
    return f"{(Decimal(times) / Decimal(of)).quantize(QUANTITY_STEP):f}".rstrip("0")


def add_up(
    lines: Sequence[PriceLine], terms: Terms, *, discount_minor: int = 0, minimum_spend_minor: int = 0
) -> Price:
    """Returns the price of the lines. Raises InvalidRequest if it is too large to store."""
    base = 0
    for line in lines:
        base += line.amount_minor
    tax = _tax(lines, base, discount_minor, included=terms.tax_included)
    total = base + (0 if terms.tax_included else tax) - discount_minor
    if base + tax > BIGINT_MAX or minimum_spend_minor > BIGINT_MAX:
        raise InvalidRequest.of(
            "duration_minutes", None, "the price is too large: book less time or fewer resources"
        )
    deposit = terms.deposit_ppm and rounded(max(total, minimum_spend_minor) * terms.deposit_ppm, MILLION)
    return Price(
        base,
        tax,
        discount_minor,
        total,
        terms.currency,
        "local",
        terms.tax_included,
        tuple(lines),
        minimum_spend_minor,
        deposit,
    )


def without(price: Price, lines: Sequence[PriceLine], *, minimum_spend_minor: int) -> Price:
    """Returns the price without these of its lines, and without that part of its minimum spend. Discount and deposit
    shrink with it."""
    left = [*price.lines]
    for line in lines:
        left.remove(line)
    base = sum(line.amount_minor for line in left)
    discount = rounded(price.discount_minor * base, price.base_minor) if price.base_minor else 0
    tax = _tax(left, base, discount, included=price.tax_included)
    total = base + (0 if price.tax_included else tax) - discount
    minimum = price.minimum_spend_minor - minimum_spend_minor
    owed, owes = max(price.total_minor, price.minimum_spend_minor), max(total, minimum)
    return replace(
        price,
        base_minor=base,
        tax_minor=tax,
        discount_minor=discount,
        total_minor=total,
        lines=tuple(left),
        minimum_spend_minor=minimum,
        deposit_minor=rounded(price.deposit_minor * owes, owed) if owed else 0,
    )


def _tax(lines: Sequence[PriceLine], base: int, discount: int, *, included: bool) -> int:
    """Returns the tax on what is left of the lines after the discount. Lines with the same rate are added up before
    their tax is rounded; the discount is spread over the rates in proportion to their sums."""
    sums: dict[int, int] = {}
    for line in lines:
        sums[line.tax_ppm] = sums.get(line.tax_ppm, 0) + line.amount_minor
    tax = seen = taken = 0
    for ppm, amount in sums.items():
        seen += amount
        share = rounded(discount * seen, base) - taken if discount else 0
        taken += share
        tax += rounded((amount - share) * ppm, MILLION + ppm if included else MILLION)
    return tax


def rounded(numerator: int, denominator: int) -> int:
    """Returns the quotient of two integers that are not negative, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)


def ppm_of(percent: Decimal) -> int:
    """Returns a percentage of at most 4 decimals in parts per million."""
    return int(percent * 10_000)
