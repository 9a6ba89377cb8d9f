"""The price of a booking: a snapshot by the venue's rules, kept whatever they become."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from holdfast.booking.price import price_json
from holdfast.port.lines import Price
from tests.conftest import House

from .asking import DAY, at, change, move, read, refused

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
    price = Price(1000, 250, 99, 1151, "SEK", "local")
    assert price.total_minor == 1151
    assert price_json(price)["total_price"] == "11.51"


async def test_the_largest_price_there_can_be_is_kept(open_house: Any) -> None:
    rules = [{"per": "guest", "amount": "9999999999"}]
    room = {"slug": "r1", "name": "R1", "kind": "room", "seats_max": 100_000}
    house = await open_house(resources=[room], policy={"price_rules": rules, "tax_percent": 100})
    response = await house.book(start=at("18:00"), party_size=100_000)
    assert response.status_code == 201, response.text
    assert Decimal(response.json()["total_price"]) == Decimal(9999999999) * 100_000 * 2


def lines(booking: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        tuple(each[name] for name in ("label", "quantity", "unit_price", "amount"))
        for each in booking["price_lines"]
    ]


EVENING = {"label": "Evening", "per": "hour", "amount": "380.00", "start": "17:00"}
HOUR = {"per": "hour", "amount": "300.00"}


async def test_each_hour_costs_its_own_price_and_the_lines_say_so(house: House) -> None:
    await house.change_policy(price_rules=[EVENING, HOUR])
    asked = {"start": at("16:00"), "end": at("18:00"), "resource_ids": house.ids("l1")}
    booking = await house.booked(**asked)
    assert lines(booking) == [("Hour", "1", "300.00", "300.00"), ("Evening", "1", "380.00", "380.00")]
    assert (booking["base_price"], booking["total_price"]) == ("680.00", "680.00")
    assert await read(house, booking) == booking
    wanted = {"venue_id": house.venue_id, "party_size": 2, "start": at("20:30"), "end": at("22:00")}
    checked = await house.client.post("/bookings/availability/check", json=wanted, headers=house.gina)
    assert lines(checked.json()["price"]) == [("Evening", "2", "380.00", "760.00")]


async def test_each_night_costs_its_own_price(open_house: Any) -> None:
    room = {"slug": "r1", "name": "R1", "kind": "room", "seats_max": 2}
    nights = [
        {"label": "Weekend", "per": "night", "amount": "390.00", "days": ["FR", "SA"]},
        {"per": "night", "amount": "340.00"},
    ]
    house = await open_house(hours={"weekly": []}, resources=[room], policy={"price_rules": nights})
    booking = await house.booked(start=at("15:00", 1), end=at("11:00", 4))  # from a Thursday to a Sunday
    assert lines(booking) == [("Night", "1", "340.00", "340.00"), ("Weekend", "2", "390.00", "780.00")]
    assert booking["total_price"] == "1120.00"


@pytest.mark.parametrize(
    ("rule", "asked", "is_charged"),
    [
        ({"attributes": {"floor": 2}}, {}, True),
        ({"attributes": {"floor": 1}}, {}, False),
        ({"slots": ["late"]}, {}, False),
        ({"slots": ["late"]}, {"date": DAY.isoformat(), "slot_id": "late"}, True),
        ({"from": DAY.isoformat(), "to": DAY.isoformat()}, {}, True),
        ({"from": (DAY + timedelta(days=1)).isoformat()}, {}, False),
        ({"to": (DAY - timedelta(days=1)).isoformat()}, {}, False),
        ({"lead_minutes_min": 30 * 24 * 60}, {}, True),
        ({"lead_minutes_max": 30 * 24 * 60}, {}, False),
    ],
)
async def test_rules_by_attribute_slot_date_and_lead_time(
    open_house: Any, rule: dict[str, Any], asked: dict[str, Any], is_charged: bool
) -> None:
    house = await open_house(
        policy={"price_rules": [{"per": "booking", "amount": "5", **rule}]},
        slots=[{"id": "late", "name": "Late", "start": "21:00", "minutes": 120}],
        resources=[{"slug": "t1", "attributes": {"floor": 2, "view": "sea"}}],
    )
    booking = await house.booked(**(asked or {"start": at("18:00")}))
    assert booking["base_price"] == ("5.00" if is_charged else "0.00")


async def test_each_resource_is_charged_by_its_own_rule(house: House) -> None:
    rules = [{"kinds": ["lane"], **HOUR}, {"label": "Table", "per": "hour", "amount": "50"}]
    await house.change_policy(price_rules=rules)
    booking = await house.booked(
        start=at("18:00"), duration_minutes=60, party_size=8, resource_ids=house.ids("l1", "t2", "t3")
    )
    assert lines(booking) == [("Hour", "1", "300.00", "300.00"), ("Table", "2", "50.00", "100.00")]


async def test_a_tax_that_is_included_is_a_part_of_the_total(house: House) -> None:
    rules = [{"per": "guest", "amount": "100"}, {"per": "hour", "amount": "1"}]
    await house.change_policy(price_rules=rules, tax_percent=25, tax_included=True)
    booking = await house.booked(start=at("18:00"))
    assert prices(booking) == ("200.00", "40.00", "0.00", "200.00")
    assert booking["tax_included"]


async def test_rules_have_taxes_of_their_own(house: House) -> None:
    rules = [
        {"per": "hour", "amount": "100", "end": "18:00", "tax_percent": "6"},
        {"per": "hour", "amount": "100"},
    ]
    await house.change_policy(price_rules=rules, tax_percent="25")
    booking = await house.booked(start=at("17:00"), duration_minutes=120)
    assert prices(booking) == ("200.00", "31.00", "0.00", "231.00")


async def test_the_minimum_spend_is_shown_and_is_the_base_of_the_deposit(open_house: Any) -> None:
    house = await open_house(
        policy={"price_rules": [{"per": "booking", "amount": "100"}], "deposit_percent": 20},
        resources=[
            {"slug": "s1", "kind": "section", "minimum_spend": "1500.00"},
            {"slug": "s2", "kind": "section", "minimum_spend": "50"},
            {"slug": "s3", "kind": "section"},
        ],
    )
    shown = {}
    for slug in ("s1", "s2", "s3"):
        booking = await house.booked(start=at("18:00"), resource_ids=house.ids(slug))
        shown[slug] = (booking["minimum_spend"], booking["deposit_amount"], booking["total_price"])
    assert shown == {
        "s1": ("1500.00", "300.00", "100.00"),
        "s2": ("50.00", "20.00", "100.00"),
        "s3": ("0.00", "20.00", "100.00"),
    }
    path = f"/clubs/{house.tenant}/venues/{house.venue_id}/availability?date={DAY}"
    picture = (await house.client.get(path)).json()
    assert [each.get("minimumSpend") for each in picture["sections"]] == ["1500.00", "50.00", None]


async def test_the_document_comes_back_as_it_was(house: House) -> None:
    rule = {"label": "Peak", "per": "hour", "amount": "5.00", "from": "2026-12-20", "to": "2027-01-03"}
    document = {**house.document, "policy": {"price_rules": [rule]}}
    document["resources"][0]["minimum_spend"] = "500.00"
    await house.replace(document)
    shown = await house.client.get(f"/venues/{house.venue_id}/document", headers=house.alice)
    [kept] = shown.json()["policy"]["price_rules"]
    assert {name: kept[name] for name in rule} == rule
    assert {each["slug"]: each["minimum_spend"] for each in shown.json()["resources"]}["t1"] == "500.00"
    again = await house.client.post("/venues/import", json=shown.json(), headers=house.alice)
    assert (again.status_code, again.json()["version"]) == (200, house.venue["version"])


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("policy.price_rules.0.from", {"from": "2027-02-01", "to": "2027-01-31"}),
        ("policy.price_rules.0.to", {"to": "2027-02-30"}),
        ("policy.price_rules.0.lead_minutes_min", {"lead_minutes_min": 5, "lead_minutes_max": 4}),
        ("policy.price_rules.0.label", {"label": "x" * 101}),
        ("policy.price_rules.0.label", {"label": "two\nlines"}),
        ("policy.price_rules.0.amount", {"amount": "1.005"}),
        ("policy.price_rules.0.tax_percent", {"tax_percent": 101}),
        ("policy.price_rules.0.attributes", {"attributes": {}}),
        ("policy.price_rules.0.attributes", {"attributes": {"a": "x" * 2000}}),
        ("policy.price_rules.0.slots", {"slots": []}),
        ("policy.price_rules.0.start", {"start": "25:00"}),
        ("resources.0.minimum_spend", None),
    ],
)
async def test_what_makes_no_sense_is_refused(house: House, field: str, changes: Any) -> None:
    document = {**house.document}
    if changes is None:
        document["resources"] = [{"slug": "t1", "minimum_spend": "0.001"}]
    else:
        document["policy"] = {"price_rules": [{"per": "hour", "amount": "1", **changes}]}
    response = await house.client.post("/venues/import", json=document, headers=house.alice)
    errors = refused(response, 400, "INVALID_REQUEST")["errors"]
    assert [each["field"] for each in errors] == [field]
