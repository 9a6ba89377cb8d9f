"""The price of a booking in the API."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from holdfast.kernel.money import format_money
from holdfast.port.lines import Price, PriceLine

PRICES_CACHED_MAX = 4096


@lru_cache(PRICES_CACHED_MAX)
def price_json(price: Price) -> dict[str, Any]:
    """Returns the price with amounts as decimal strings, under the names that bookings use. It is cached, since many
    bookings cost the same: don't change it."""
    currency = price.currency
    return {
        "base_price": format_money(price.base_minor, currency),
        "tax_amount": format_money(price.tax_minor, currency),
        "discount_amount": format_money(price.discount_minor, currency),
        "total_price": format_money(price.total_minor, currency),
        "tax_included": price.tax_included,
        "currency": currency,
        "price_source": price.source,
        "price_lines": lines_json(price.lines, currency),
        "minimum_spend": format_money(price.minimum_spend_minor, currency),
        "deposit_amount": format_money(price.deposit_minor, currency),
    }


def lines_json(lines: Sequence[PriceLine], currency: str) -> list[dict[str, str]]:
    """Returns lines of a price, with amounts as decimal strings."""
    return [
        {
            "label": line.label,
            "quantity": line.quantity,
            "unit_price": format_money(line.unit_minor, currency),
            "amount": format_money(line.amount_minor, currency),
        }
        for line in lines
    ]
