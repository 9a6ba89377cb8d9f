"""What a venue sells beside its places, and the codes that take something off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Annotated

from pydantic import Field, StrictInt, model_validator

from holdfast.kernel.body import Problem
from holdfast.place.opening.spans import Rule
from holdfast.place.prices.amounts import Amount, Named, Percent
from holdfast.place.prices.rules import DatedRule, PriceUnit

STOCK_MAX = 100_000
USES_MAX = 1_000_000
ExtraId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""1 to 63 lower-case letters, digits, - and _, starting with a letter or digit."""
DiscountCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$", examples=["SPRING"])]
"""1 to 40 letters, digits, - and _. Capital and small letters are the same."""


class Extra(Rule):
    """Something that a booking can take beside its place: shoes, towels, breakfast."""

    id: ExtraId
    """Its id in requests; unique within the venue."""
    name: Named = Field(default_factory=lambda data: data.get("id", ""))
    """What it is called in `price_lines`. Default: the id."""
    amount: Amount
    """The price of one, in the venue's currency, as a decimal string."""
    per: PriceUnit = "booking"
    """What one costs that for: the whole booking; a guest, who takes one; each hour or each night of the booking."""
    stock: StrictInt | None = Field(default=None, ge=0, le=STOCK_MAX)
    """How many there are for bookings at the same time; null: enough for everybody."""
    tax_percent: Percent | None = None
    """Its tax, percent. Default: the policy's."""


class Discount(DatedRule):
    """A code that takes something off the price. `from` and `to` are dates of the visit."""

    code: DiscountCode
    """What guests enter; unique within the venue."""
    percent: Percent | None = None
    """What it takes off, percent of all lines."""
    amount: Amount | None = None
    """What it takes off, in the venue's currency, as a decimal string; at most all of it."""
    uses_max: StrictInt | None = Field(default=None, ge=1, le=USES_MAX)
    """How many bookings can use it; null: any number. A booking that is cancelled or expires gives its use back."""

    @model_validator(mode="after")
    def _percent_or_amount(self) -> Discount:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("give either percent or amount")
        return self


def repeated(field: str, name: str, values: Iterable[str]) -> Iterator[Problem]:
    """Yields a problem for each value that is the same as an earlier one, in small or capital letters."""
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        before = first.setdefault(value.casefold(), index)
        if before != index:
            problem = f"must differ from all others, but {field}.{before}.{name} is the same"
            yield Problem((field, index, name), value, problem)


def amounts_of(
    extras: Iterable[Extra], discounts: Iterable[Discount]
) -> Iterator[tuple[tuple[str | int, ...], Decimal]]:
    """Yields their amounts of money, each with its place in the policy."""
    for index, extra in enumerate(extras):
        yield ("extras", index, "amount"), extra.amount
    for index, discount in enumerate(discounts):
        if discount.amount is not None:
            yield ("discounts", index, "amount"), discount.amount
