"""Money in minor units inside and decimal strings outside."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.money import CURRENCIES, format_money, minor_units


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1250, "EUR", "12.50"),
        (5, "SEK", "0.05"),
        (-5, "USD", "-0.05"),
        (1250, "JPY", "1250"),
        (1, "KWD", "0.001"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(minor: int, currency: str, text: str):
    assert format_money(minor, currency) == text


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(CURRENCIES)))
def test_every_amount_is_written_exactly(minor: int, currency: str):
    written = Decimal(format_money(minor, currency))
    assert written.scaleb(minor_units(currency)) == minor


def test_unknown_currencies_are_refused():
    with pytest.raises(InvalidRequest):
        minor_units("EURO")
