"""Amounts of money, percentages and names, as documents write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from holdfast.kernel.body import Problem
from holdfast.kernel.text import LINE_PATTERN, one_line, unless_stored

AMOUNT_MAX = Decimal("9999999999.9999")
"""The highest price, in any currency."""
DECIMAL_CHARS_MAX = 32
"""Enough for every decimal that is allowed here."""
NAME_CHARS_MAX = 100


def _decimal_text(value: Any) -> Any:
    # No floats: 0.1 + 0.2 is not 0.3.
    if _is_decimal(value) or type(value) is int:
        return value
    raise ValueError("must be a decimal string such as '12.50'")


def _is_decimal(value: Any) -> bool:
    return isinstance(value, Decimal) or (isinstance(value, str) and len(value) <= DECIMAL_CHARS_MAX)


DecimalText = Annotated[str, Field(max_length=DECIMAL_CHARS_MAX, examples=["10"])]
Amount = Annotated[
    Decimal,
    Field(ge=0, le=AMOUNT_MAX, max_digits=14, decimal_places=4, allow_inf_nan=False, examples=["12.50"]),
    BeforeValidator(
        _decimal_text, json_schema_input_type=DecimalText | Annotated[int, Field(ge=0, le=int(AMOUNT_MAX))]
    ),
]
"""Money in the venue's currency, 0 or more, as a decimal string."""


def _number(value: Any) -> Any:
    if _is_decimal(value) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise ValueError("must be a number from 0 to 100 such as 12.5")


Percent = Annotated[
    Decimal,
    Field(ge=0, le=100, decimal_places=4, allow_inf_nan=False),
    BeforeValidator(_number, json_schema_input_type=DecimalText | Annotated[float, Field(ge=0, le=100)]),
]
"""0 to 100, as a number or a decimal string."""


def _is_a_name(value: str) -> str:
    if not 1 <= len(value) <= NAME_CHARS_MAX:
        raise ValueError(f"must have 1 to {NAME_CHARS_MAX} characters, not {len(value)}")
    return one_line(value)


# The limit is not in Field: rules that were stored before it existed may have longer names.
Named = Annotated[
    str,
    Field(json_schema_extra={"minLength": 1, "maxLength": NAME_CHARS_MAX, "pattern": LINE_PATTERN}),
    unless_stored(_is_a_name),
]


def fractions(
    amounts: Iterable[tuple[tuple[str | int, ...], Decimal]], currency: str, decimals: int
) -> Iterator[Problem]:
    """Yields a problem for each amount, given with its place in the document, that the currency can't express."""
    for where, amount in amounts:
        if amount != round(amount, decimals):
            yield Problem(where, str(amount), f"{currency} allows at most {decimals} decimals")
