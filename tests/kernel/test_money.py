"""Money in minor units inside and decimal strings outside."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.money import CURRENCIES, format_money, minor_units, parse_money


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
    assert parse_money(text, currency) == minor


@given(st.integers(-(10**15), 10**15), st.sampled_from(sorted(CURRENCIES)))
def test_every_amount_goes_there_and_back(minor: int, currency: str):
    assert parse_money(format_money(minor, currency), currency) == minor


@pytest.mark.parametrize("text", ["", "1,5", "NaN", "Infinity", "1e99", "1.005", "10000000000000.01"])
def test_what_is_no_amount_of_the_currency_is_refused(text: str):
    with pytest.raises(InvalidRequest) as caught:
        parse_money(text, "EUR", field="price")
    assert caught.value.fields["errors"][0]["field"] == "price"


def test_unknown_currencies_are_refused():
    with pytest.raises(InvalidRequest):
        minor_units("EURO")
