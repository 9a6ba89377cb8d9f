"""Extras with a stock, and discount codes with limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from tests.block.asking import blocked, remove
from tests.conftest import House

from .asking import DAY, at, cancel, change, move, read, refused

SHOES = {"id": "shoes", "name": "Shoes", "amount": "25.00", "per": "guest", "stock": 10}
BALL = {"id": "ball", "amount": "40", "per": "hour", "stock": 1, "tax_percent": 25}
CAKE = {"id": "cake", "name": "Cake", "amount": "100"}
SPRING = {"code": "SPRING", "percent": 10, "uses_max": 2}
RULES = [{"per": "hour", "amount": "300.00"}]


@pytest.fixture
async def alley(house: House) -> House:
    await house.change_policy(price_rules=RULES, extras=[SHOES, BALL, CAKE], discounts=[SPRING])
    return house


def amounts(booking: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["label"]: (each["quantity"], each["amount"]) for each in booking["price_lines"]}


async def test_extras_are_lines_of_the_price(alley: House) -> None:
    extras = [{"id": "shoes"}, {"id": "ball", "quantity": 1}, {"id": "cake", "quantity": 2}]
    asked = {"start": at("18:00"), "duration_minutes": 90, "party_size": 4}
    booking = await alley.booked(**asked, resource_ids=alley.ids("l1"), extras=extras)
    assert amounts(booking) == {
        "Hour": ("2", "600.00"),
        "Shoes": ("4", "100.00"),  # one for each guest
        "ball": ("2", "80.00"),  # for two hours
        "Cake": ("2", "200.00"),
    }
    assert (booking["base_price"], booking["tax_amount"], booking["total_price"]) == (
        "980.00", "20.00", "1000.00",
    )  # fmt: skip
    assert booking["extras"] == [
        {"id": "shoes", "quantity": 4}, {"id": "ball", "quantity": 1}, {"id": "cake", "quantity": 2},
    ]  # fmt: skip
    assert await read(alley, booking) == booking


async def test_there_are_only_so_many_at_a_time(alley: House) -> None:
    async def shoes(count: int, start: str, minutes: int, *slugs: str) -> Any:
        return await alley.book(
            start=at(start), duration_minutes=minutes, resource_ids=alley.ids(*slugs),
            extras=[{"id": "shoes", "quantity": count}],
        )  # fmt: skip

    assert (await shoes(6, "18:00", 60, "l1")).status_code == 201
    second = (await shoes(5, "19:00", 60, "l1")).json()
    problem = refused(await shoes(5, "18:30", 60, "t1"), 409, "EXTRA_NOT_AVAILABLE")
    assert (problem["extra_id"], problem["stock"], problem["available"]) == ("shoes", 10, 4)
    # 6 until 19:00, then 5: at no time are there fewer than 4 left.
    third = await shoes(4, "18:30", 60, "t1")
    assert third.status_code == 201, third.text
    await cancel(alley, second)
    assert (await shoes(6, "19:30", 60, "t2")).status_code == 201


async def test_a_hold_takes_extras_until_it_expires(alley: House, owner: asyncpg.Connection) -> None:
    ball = {"start": at("18:00"), "extras": [{"id": "ball"}]}
    held = await alley.booked(**ball, resource_ids=alley.ids("t1"), hold=True)
    refused(await alley.book(**ball, resource_ids=alley.ids("t2")), 409, "EXTRA_NOT_AVAILABLE")
    expired = "UPDATE booking SET expires_at = now() - interval '1 second' WHERE id = $1"
    await owner.execute(expired, held["id"])
    await alley.booked(**ball, resource_ids=alley.ids("t2"))


async def test_who_gets_a_place_again_needs_the_extras_again(alley: House) -> None:
    """A block took their lane, and others took the shoes meanwhile."""
    shoes = {"extras": [{"id": "shoes", "quantity": 6}]}
    late = {"start": at("18:00"), "resource_ids": alley.ids("l1")}
    displaced = await alley.booked(**late, **shoes)
    closed = await blocked(alley, "l1", start=at("17:00"), end=at("21:00"), on_conflict="displace")
    others = await alley.booked(start=at("18:30"), resource_ids=alley.ids("t1"), **shoes)
    await remove(alley, closed)
    again = await read(alley, displaced)
    assert again["status"] == "MANUAL_REVIEW"
    problem = refused(await move(alley, again, "CONFIRMED"), 409, "EXTRA_NOT_AVAILABLE")
    assert (problem["stock"], problem["available"]) == (10, 4)
    assert await read(alley, displaced) == again
    await cancel(alley, others)
    assert (await move(alley, again, "CONFIRMED")).json()["status"] == "CONFIRMED"


async def test_changes_of_extras_are_priced_and_checked_alone(alley: House) -> None:
    booking = await alley.booked(start=at("18:00"), duration_minutes=60, resource_ids=alley.ids("l1"))
    await alley.change_policy(buffer_after_minutes=120, price_rules=[{"per": "hour", "amount": "310"}])
    booking = (await change(alley, booking, guest_name="Gina", extras=[{"id": "ball"}])).json()
    assert amounts(booking) == {"Hour": ("1", "310.00"), "ball": ("1", "40.00")}
    same = (await change(alley, booking, extras=[{"id": "ball", "quantity": 1}])).json()
    assert same["price_lines"] == booking["price_lines"]
    refused(await change(alley, same, extras=[{"id": "ball", "quantity": 2}]), 409, "EXTRA_NOT_AVAILABLE")
    other = await alley.booked(start=at("20:00"), resource_ids=alley.ids("t1"), extras=[{"id": "ball"}])
    refused(await change(alley, other, start=at("18:30")), 409, "EXTRA_NOT_AVAILABLE")
    without = (await change(alley, same, extras=[])).json()
    assert (without["extras"], amounts(without)) == ([], {"Hour": ("1", "310.00")})
    moved = (await change(alley, other, start=at("18:30"))).json()
    assert (moved["extras"], moved["booking_time"]) == ([{"id": "ball", "quantity": 1}], "18:30")


async def test_a_change_of_anything_else_keeps_the_price(alley: House) -> None:
    booking = await alley.booked(start=at("18:00"), extras=[{"id": "cake"}], discount_code="SPRING")
    dearer = [{**CAKE, "amount": "999"}]
    await alley.change_policy(extras=dearer, price_rules=[{"per": "guest", "amount": "5"}])
    said_again = {"extras": [{"id": "cake", "quantity": 1}], "party_size": 2, "start": at("18:00")}
    changed = (await change(alley, booking, guest_name="Gina", **said_again)).json()
    assert changed["price_lines"] == booking["price_lines"]
    confirmed = (await move(alley, changed, "CONFIRMED")).json()
    assert confirmed["total_price"] == booking["total_price"]


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("extras.0.id", {"extras": [{"id": "towel"}]}),
        ("extras.1.id", {"extras": [{"id": "cake"}, {"id": "towel"}]}),
        ("extras.0.quantity", {"extras": [{"id": "cake", "quantity": 0}]}),
        ("extras.0.quantity", {"extras": [{"id": "cake", "quantity": 10_001}]}),
        ("extras", {"extras": [{"id": "cake"}, {"id": "cake"}]}),
        ("extras", {"extras": [{"id": f"x{n}"} for n in range(51)]}),
        ("extras.0.name", {"extras": [{"id": "cake", "name": "Cake"}]}),
        ("discount_code", {"discount_code": "AUTUMN"}),
        ("discount_code", {"discount_code": "x" * 41}),
        ("discount_code", {"discount_code": "a code"}),
    ],
)
async def test_what_is_not_sold_here_is_refused_everywhere(
    alley: House, field: str, asked: dict[str, Any]
) -> None:
    booking = await alley.booked(start=at("12:00"))
    wanted = {"venue_id": alley.venue_id, "party_size": 2, **asked}
    for response in (
        await alley.book(start=at("18:00"), **asked),
        await change(alley, booking, **asked),
        await alley.client.post("/walk-ins", json=wanted, headers=alley.bob),
        await alley.client.post("/bookings/availability/check", json={**wanted, "start": at("18:00")}),
    ):
        errors = refused(response, 400, "INVALID_REQUEST")["errors"]
        assert [each["field"] for each in errors] == [field]
    assert await read(alley, booking) == booking


async def test_the_refusal_says_what_there_is(alley: House) -> None:
    problem = refused(await alley.book(start=at("18:00"), extras=[{"id": "towel"}]), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["problem"] == "must be an extra of Osteria Nord: shoes, ball, cake"


async def test_a_code_takes_its_part_off(alley: House) -> None:
    asked = {"start": at("18:00"), "duration_minutes": 60}
    booking = await alley.booked(**asked, discount_code="spring", extras=[{"id": "ball"}])
    assert (booking["base_price"], booking["discount_amount"]) == ("340.00", "34.00")
    # 25 % of the ball, of which a tenth is taken off.
    assert (booking["tax_amount"], booking["total_price"]) == ("9.00", "315.00")
    assert booking["discount_code"] == "SPRING"
    without = (await change(alley, booking, discount_code=None)).json()
    assert (without["discount_code"], without["discount_amount"]) == (None, "0.00")


async def test_an_amount_takes_off_no_more_than_there_is(house: House) -> None:
    codes = [{"code": "TEN", "amount": "10.00"}, {"code": "ALL", "amount": "1000"}]
    await house.change_policy(
        price_rules=[{"per": "booking", "amount": "50"}], discounts=codes, tax_percent=20
    )
    shown = {}
    for code in ("TEN", "ALL"):
        booking = await house.booked(start=at("18:00"), discount_code=code)
        shown[code] = (booking["discount_amount"], booking["tax_amount"], booking["total_price"])
    assert shown == {"TEN": ("10.00", "8.00", "48.00"), "ALL": ("50.00", "0.00", "0.00")}


async def test_a_code_is_for_visits_of_its_dates(house: House) -> None:
    day, days = DAY.isoformat(), timedelta(days=1)
    codes = [
        {"code": "TODAY", "percent": 5, "from": day, "to": day},
        {"code": "BEFORE", "percent": 5, "to": (DAY - days).isoformat()},
        {"code": "AFTER", "percent": 5, "from": (DAY + days).isoformat()},
    ]
    await house.change_policy(discounts=codes)
    booking = await house.booked(start=at("18:00"), discount_code="TODAY")
    for code in ("BEFORE", "AFTER"):
        refused(await house.book(start=at("18:00"), discount_code=code), 400, "INVALID_REQUEST")
    problem = refused(await change(house, booking, start=at("18:00", 1)), 400, "INVALID_REQUEST")
    assert [each["field"] for each in problem["errors"]] == ["discount_code"]
    moved = await change(house, booking, start=at("18:00", 1), discount_code=None)
    assert moved.status_code == 200, moved.text


async def test_a_code_is_used_only_so_often_and_given_back(alley: House, owner: asyncpg.Connection) -> None:
    asked = {"start": at("18:00"), "discount_code": "SPRING"}
    first = await alley.booked(**asked)
    held = await alley.booked(**asked, hold=True)
    refused(await alley.book(**asked), 400, "INVALID_REQUEST")
    checking = {"venue_id": alley.venue_id, "party_size": 2, **asked}
    response = await alley.client.post("/bookings/availability/check", json=checking)
    refused(response, 400, "INVALID_REQUEST")
    # Its own use is no reason to refuse a change.
    first = (await change(alley, first, party_size=3)).json()
    assert first["discount_code"] == "SPRING"
    await cancel(alley, first)
    again = await alley.booked(**asked)
    other = await alley.booked(start=at("12:00"))
    refused(await change(alley, other, discount_code="SPRING"), 400, "INVALID_REQUEST")
    await owner.execute(
        "UPDATE booking SET expires_at = now() - interval '1 second' WHERE id = $1", held["id"]
    )
    assert (await change(alley, other, discount_code="SPRING")).json()["discount_code"] == "SPRING"
    assert again["discount_code"] == "SPRING"


async def test_only_staff_see_the_codes_of_a_venue(alley: House, charlie: dict[str, str]) -> None:
    path = f"/venues/{alley.venue_id}"
    for headers, is_shown in (
        (alley.bob, True),
        (alley.alice, True),
        (alley.gina, False),
        (charlie, False),
        ({}, False),
    ):
        venue = (await alley.client.get(path, headers=headers)).json()["policy"]
        policy = (await alley.client.get(f"{path}/policy", headers=headers)).json()
        for shown in (venue, policy):
            assert [each["code"] for each in shown["discounts"]] == (["SPRING"] if is_shown else [])
            assert [each["id"] for each in shown["extras"]] == ["shoes", "ball", "cake"]


async def test_the_check_shows_the_price_with_extras_and_discount(alley: House) -> None:
    asked = {"venue_id": alley.venue_id, "party_size": 2, "start": at("18:00"), "duration_minutes": 60}
    asked |= {"extras": [{"id": "shoes"}], "discount_code": "SPRING"}
    found = (await alley.client.post("/bookings/availability/check", json=asked)).json()
    assert found["price"]["discount_amount"] == "35.00"
    assert amounts(found["price"]) == {"Hour": ("1", "300.00"), "Shoes": ("2", "50.00")}
    await alley.booked(start=at("18:00"), extras=[{"id": "ball"}])
    response = await alley.client.post(
        "/bookings/availability/check", json=asked | {"extras": [{"id": "ball"}]}
    )
    refused(response, 409, "EXTRA_NOT_AVAILABLE")


async def test_walk_ins_take_extras(house: House) -> None:
    await house.replace({**house.document, "hours": {"weekly": []}})
    await house.change_policy(extras=[CAKE])
    asked = {"venue_id": house.venue_id, "party_size": 2, "extras": [{"id": "cake"}]}
    seated = await house.client.post("/walk-ins", json=asked, headers=house.bob)
    assert (seated.status_code, seated.json()["base_price"]) == (201, "100.00")


@pytest.mark.parametrize(
    ("field", "policy"),
    [
        ("extras.1.id", {"extras": [CAKE, CAKE]}),
        ("extras.0.amount", {"extras": [{**CAKE, "amount": "0.001"}]}),
        ("extras.0.amount", {"extras": [{**CAKE, "amount": -1}]}),
        ("extras.0.stock", {"extras": [{**CAKE, "stock": -1}]}),
        ("extras.0.per", {"extras": [{**CAKE, "per": "week"}]}),
        ("extras.0.id", {"extras": [{**CAKE, "id": "A cake"}]}),
        ("discounts.1.code", {"discounts": [SPRING, {**SPRING, "code": "spring"}]}),
        ("discounts.0", {"discounts": [{"code": "A"}]}),
        ("discounts.0", {"discounts": [{**SPRING, "amount": "1"}]}),
        ("discounts.0.percent", {"discounts": [{**SPRING, "percent": 101}]}),
        ("discounts.0.amount", {"discounts": [{"code": "A", "amount": "1.001"}]}),
        ("discounts.0.uses_max", {"discounts": [{**SPRING, "uses_max": 0}]}),
        ("discounts.0.from", {"discounts": [{**SPRING, "from": "2027-05-31", "to": "2027-05-30"}]}),
        ("discounts.0.code", {"discounts": [{**SPRING, "code": "A B"}]}),
    ],
)
async def test_what_makes_no_sense_is_refused(house: House, field: str, policy: Any) -> None:
    document = {**house.document, "policy": policy}
    response = await house.client.post("/venues/import", json=document, headers=house.alice)
    errors = refused(response, 400, "INVALID_REQUEST")["errors"]
    assert [each["field"] for each in errors] == [f"policy.{field}"]
