"""The price of a booking: a snapshot by the venue's rules, kept whatever they become."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from holdfast.booking.model import price_json, total_minor
from holdfast.port.pricing import Price
from tests.conftest import House

from .asking import at, change, move, read

NONE = ("0.00", "0.00", "0.00", "0.00")
FIVE = ("5.00", "0.60", "0.00", "5.60")


def prices(booking: dict[str, Any]) -> tuple[str, ...]:
    return tuple(booking[name] for name in ("base_price", "tax_amount", "discount_amount", "total_price"))


@pytest.mark.parametrize(
    ("rules", "asked", "expected"),
    [
        ([], {}, NONE),
        # 12.005 % of 99.90 is 11.992995.
        ([{"per": "booking", "amount": "99.90"}], {}, ("99.90", "11.99", "0.00", "111.89")),
        ([{"per": "guest", "amount": "10"}], {"party_size": 4}, ("40.00", "4.80", "0.00", "44.80")),
        ([{"per": "hour", "amount": "10"}], {"duration_minutes": 61}, ("20.00", "2.40", "0.00", "22.40")),
        (
            [{"per": "hour", "amount": "10"}],
            {"duration_minutes": 60, "party_size": 6, "resource_ids": ("t2", "t3")},
            ("20.00", "2.40", "0.00", "22.40"),
        ),
        ([{"per": "booking", "amount": "5", "kinds": ["lane"]}], {}, NONE),
        ([{"per": "booking", "amount": "5", "kinds": ["lane"]}], {"resource_ids": ("l1",)}, FIVE),
        ([{"per": "booking", "amount": "5", "zones": ["hall"]}], {"resource_ids": ("t3",)}, FIVE),
        ([{"per": "booking", "amount": "5", "party_size_min": 3}], {}, NONE),
        ([{"per": "booking", "amount": "5", "start": "18:30"}], {}, NONE),
        ([{"per": "booking", "amount": "5", "start": "17:00", "end": "18:00"}], {}, NONE),
        ([{"per": "booking", "amount": "5", "start": "17:00", "end": "18:01"}], {}, FIVE),
        ([{"per": "booking", "amount": "5", "days": ["WE"]}], {}, FIVE),
        ([{"per": "booking", "amount": "5", "days": ["TU", "TH"]}], {}, NONE),
        (
            [{"per": "guest", "amount": "7", "days": ["WE"]}, {"per": "booking", "amount": "1"}],
            {},
            ("14.00", "1.68", "0.00", "15.68"),
        ),
    ],
)  # fmt: skip
async def test_by_the_first_rule_that_fits(
    house: House, rules: list[dict[str, Any]], asked: dict[str, Any], expected: tuple[str, ...]
) -> None:
    await house.change_policy(price_rules=rules, tax_percent="12.005")
    wanted = {"resource_ids": ("t2",), **asked}
    booking = await house.booked(
        start=at("18:00"), **{**wanted, "resource_ids": house.ids(*wanted["resource_ids"])}
    )
    assert prices(booking) == expected
    assert (booking["currency"], booking["price_source"]) == ("SEK", "local")


@pytest.mark.parametrize(("currency", "base"), [("JPY", "1250"), ("KWD", "1250.000"), ("EUR", "1250.00")])
async def test_decimals_are_the_currencys(open_house: Any, currency: str, base: str) -> None:
    policy = {"price_rules": [{"per": "booking", "amount": "1250"}]}
    house = await open_house(currency=currency, policy=policy)
    booking = await house.booked(start=at("18:00"))
    assert (booking["base_price"], booking["currency"]) == (base, currency)


async def test_nights_are_counted_by_the_calendar(open_house: Any) -> None:
    room = {"slug": "r1", "name": "R1", "kind": "room", "seats_max": 2}
    house = await open_house(
        hours={"weekly": []}, resources=[room], policy={"price_rules": [{"per": "night", "amount": "100"}]}
    )
    one = await house.booked(start=at("15:00"), end=at("11:00", days=1))
    assert one["base_price"] == "100.00"
    three = await house.booked(start=at("15:00", days=2), end=at("11:00", days=5))
    assert three["base_price"] == "300.00"


async def test_it_is_a_snapshot_until_the_stay_itself_changes(house: House) -> None:
    await house.change_policy(price_rules=[{"per": "guest", "amount": "10"}])
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t2"))
    await house.change_policy(price_rules=[{"per": "guest", "amount": "99"}])
    assert prices(await read(house, booking))[0] == "20.00"
    named = (await change(house, booking, guest_name="x")).json()
    confirmed = (await move(house, named, "CONFIRMED")).json()
    assert prices(confirmed)[0] == "20.00"
    more = (await change(house, confirmed, party_size=3)).json()
    assert prices(more)[0] == "297.00"


def test_the_total_adds_up() -> None:
    price = Price(1000, 250, 99, "SEK", "local")
    assert total_minor(price) == 1151
    assert price_json(price)["total_price"] == "11.51"


async def test_the_largest_price_there_can_be_is_kept(open_house: Any) -> None:
    rules = [{"per": "guest", "amount": "9999999999"}]
    room = {"slug": "r1", "name": "R1", "kind": "room", "seats_max": 100_000}
    house = await open_house(resources=[room], policy={"price_rules": rules, "tax_percent": 100})
    response = await house.book(start=at("18:00"), party_size=100_000)
    assert response.status_code == 201, response.text
    assert Decimal(response.json()["total_price"]) == Decimal(9999999999) * 100_000 * 2
