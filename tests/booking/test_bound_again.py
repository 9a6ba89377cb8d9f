"""A booking of a type that has its resource already, moved to a time for which its type is only promised."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import House

from .asking import DAY, cancel, change, move
from .units import client as client
from .units import database_url as database_url
from .units import db as db
from .units import served as served
from .units import sound as sound

ROOMS = [
    {"slug": f"r{n}", "name": f"Room {n}", "kind": "room", "group": "sea", "seats_max": 2} for n in range(2)
]
STAY = {"check_in": "15:00", "check_out": "11:00"}


def on(days: int) -> str:
    return str(DAY + timedelta(days=days))


@pytest.fixture
async def hotel(open_house: Any) -> House:
    return await open_house(kind="hotel", stay=STAY, policy={"bind_group": "at_once"}, resources=ROOMS)


async def test_it_is_promised_its_type_like_a_new_one(hotel: House) -> None:
    """No room is free for both nights, until the promise of one of them moves."""
    booking = await hotel.booked(hotel.gina, arrival=on(0), nights=1, group="sea")
    assert booking["resource_ids"] == hotel.ids("r0")
    others = [
        await hotel.booked(arrival=on(1), nights=1, resource_ids=hotel.ids("r1")),
        await hotel.booked(arrival=on(2), nights=1, resource_ids=hotel.ids("r0")),
    ]
    await hotel.change_policy(bind_group="at_check_in")
    for night in (1, 2):
        await hotel.booked(arrival=on(night), nights=1, group="sea")
    for each in others:
        await cancel(hotel, each)
    body = {"venue_id": hotel.venue_id, "arrival": on(1), "nights": 2, "party_size": 2, "group": "sea"}
    asked = body | {"except_booking": booking["id"]}
    found = await hotel.client.post("/bookings/availability/check", json=asked, headers=hotel.gina)
    assert found.json()["available"]
    after = await change(hotel, booking, hotel.gina, arrival=on(1), nights=2)
    assert (after.status_code, after.json()["resource_ids"]) == (200, [])
    assert (await move(hotel, after.json(), "CHECKED_IN")).json()["resource_ids"] in map(
        hotel.ids, ("r0", "r1")
    )


async def test_one_night_more_keeps_the_room(hotel: House) -> None:
    booking = await hotel.booked(hotel.gina, arrival=on(0), nights=1, group="sea")
    await hotel.change_policy(bind_group="at_check_in")
    after = await change(hotel, booking, hotel.gina, nights=2)
    assert after.json()["resource_ids"] == booking["resource_ids"]
