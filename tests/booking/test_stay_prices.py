"""A stay costs the sum of its nights, whenever the guest comes and goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import House

from .asking import DAY, at, change

RULES = [
    {"label": "Weekend night", "days": ["FR", "SA"], "per": "night", "amount": "390.00"},
    {"label": "Night", "per": "night", "amount": "340.00"},
]
STAY = {"check_in": "15:00", "check_out": "11:00"}


def on(days: int) -> str:
    return str(DAY + timedelta(days=days))


@pytest.fixture
async def hotel(open_house: Callable[..., Any]) -> House:
    rooms = [{"slug": f"r{n}", "kind": "room", "seats_max": 2} for n in range(3)]
    return await open_house(resources=rooms, stay=STAY, policy={"price_rules": RULES})


def lines(booking: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["label"], each["quantity"], each["amount"]) for each in booking["price_lines"]]


async def test_each_night_has_the_price_of_its_date(hotel: House) -> None:
    """Thursday to Sunday; DAY is a Wednesday."""
    booking = await hotel.booked(hotel.gina, arrival=on(1), nights=3)
    assert booking["total_price"] == "1120.00"
    assert sorted(lines(booking)) == [("Night", "1", "340.00"), ("Weekend night", "2", "780.00")]


@pytest.mark.parametrize(
    ("start", "end", "total"),
    [
        (("15:00", 1), ("11:00", 4), "1120.00"),
        (("02:00", 2), ("11:00", 4), "1120.00"),  # a late arrival: the night of Thursday, all the same
        (("23:59", 1), ("10:00", 3), "730.00"),
        (("15:00", 1), ("20:00", 3), "1120.00"),  # past check-in: the next guest can't come
        (("12:00", 2), ("11:00", 3), "390.00"),  # an early arrival
        (("03:00", 2), ("09:00", 2), "340.00"),
    ],
)
async def test_nights_count_and_not_days(
    hotel: House, start: tuple[str, int], end: tuple[str, int], total: str
) -> None:
    booking = await hotel.booked(start=at(*start), end=at(*end))
    assert booking["total_price"] == total, booking["price_lines"]


async def test_an_early_departure_pays_the_nights_that_were_had(hotel: House) -> None:
    booking = await hotel.booked(arrival=on(1), nights=3)
    shorter = (await change(hotel, booking, departure=on(2))).json()
    assert (shorter["nights"], shorter["total_price"]) == (1, "340.00")
    moved = (await change(hotel, shorter, arrival=on(3))).json()
    assert (moved["nights"], moved["total_price"]) == (1, "390.00")
