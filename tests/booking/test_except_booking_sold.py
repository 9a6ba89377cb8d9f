"""What a booking that is to be changed has taken is not in its own way: extras and uses of a code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import House

from .asking import at, change, refused

POLICY = {
    "slot_step_minutes": 15,
    "default_duration_minutes": 90,
    "extras": [{"id": "cot", "amount": "10.00", "stock": 1}],
    "discounts": [{"code": "SPRING", "percent": "10", "uses_max": 1}],
}
TABLES = [{"slug": f"t{n}", "name": f"T{n}", "kind": "table", "seats_max": 2} for n in range(3)]
SALES: list[dict[str, Any]] = [{"extras": [{"id": "cot"}]}, {"discount_code": "spring"}]


@pytest.mark.parametrize("sale", SALES, ids=["extras", "code"])
@pytest.mark.parametrize("order", [False, True])
async def test_the_last_one_is_its_own(
    open_house: Callable[..., Any], sale: dict[str, Any], *, order: bool
) -> None:
    house: House = await open_house(policy=POLICY, resources=TABLES)
    party: dict[str, Any] = {"items": [{"party_size": 1}, {"party_size": 2}]} if order else {"party_size": 2}
    body = {"venue_id": house.venue_id, "start": at("18:00"), **party, **sale}
    made = await house.client.post("/bookings", json=body, headers=house.bob)
    assert made.status_code == 201, made.text
    asked = body | {"start": at("18:30")}
    found = await house.client.post("/bookings/availability/check", json=asked, headers=house.bob)
    refused(found, *((409, "EXTRA_NOT_AVAILABLE") if "extras" in sale else (400, "INVALID_REQUEST")))
    asked["except_booking"] = made.json()["id"]
    found = await house.client.post("/bookings/availability/check", json=asked, headers=house.bob)
    assert found.json()["available"], found.text
    assert (await change(house, made.json(), start=at("18:30"))).status_code == 200
