"""Adds up the prices of bookings, by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import asyncpg
import orjson

ROUNDING: Final = Decimal(1)
"""The most, in minor units, by which a line may differ from quantity times price: both are rounded."""
PER_PLACE: Final = ("booking", "guest")


def wrong_price(policy: Mapping[str, Any], row: asyncpg.Record) -> Iterator[str]:
    """Yields what is wrong with the price of a booking: its lines, its sum, its nights, its extras."""
    lines, id_ = orjson.loads(row["price_lines"]), row["id"]
    for line in lines:
        product = Decimal(line["quantity"]) * line["unit_minor"]
        if abs(product - line["amount_minor"]) > ROUNDING:
            yield f"Booking {id_} pays {line['amount_minor']} for {line['quantity']} at {line['unit_minor']}."
    base = sum(line["amount_minor"] for line in lines)
    tax = 0 if row["tax_included"] else row["tax_minor"]
    if row["base_minor"] != base or row["total_minor"] != base + tax - row["discount_minor"]:
        yield f"The price of booking {id_} does not add up: {row['base_minor']}, {row['total_minor']}, {lines}."
    if not 0 <= row["discount_minor"] <= base or (row["discount_minor"] and row["discount_code"] is None):
        yield f"Booking {id_} has a discount of {row['discount_minor']} off {base}."
    yield from _wrong_quantities(policy, row, lines)


def _wrong_quantities(
    policy: Mapping[str, Any], row: asyncpg.Record, lines: list[dict[str, Any]]
) -> Iterator[str]:
    extras = {each["id"]: each for each in policy.get("extras", ())}
    for taken in orjson.loads(row["extras"]):
        said = extras[taken["id"]]
        if said.get("per", "booking") in PER_PLACE and _quantity(lines, {said["name"]}) != taken["quantity"]:
            yield f"Booking {row['id']} has {taken['quantity']} {taken['id']} and pays for others: {lines}."
    rules = policy.get("price_rules", ())
    nightly = {each.get("label", "Night") for each in rules if each["per"] == "night"}
    rooms = sum(not each["is_cancelled"] for each in orjson.loads(row["items"])) or 1
    if row["nights"] is not None and nightly and _quantity(lines, nightly) != rooms * row["nights"]:
        yield f"Booking {row['id']} has {row['nights']} nights and pays for others: {lines}."


def _quantity(lines: list[dict[str, Any]], labels: set[str]) -> Decimal:
    return sum((Decimal(line["quantity"]) for line in lines if line["label"] in labels), Decimal())
