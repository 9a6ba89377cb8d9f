"""One guest, and one address, ask from everywhere at once: they get what they may have, never more, never fewer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from bench import load
from bench.crowd import Crowd
from tests.booking.asking import at
from tests.conftest import House

FLOOR = {"slug": "floor", "name": "Floor", "kind": "section", "seats_max": 6, "units": 200}
MOST = 5


def book(house: House, token: str | None, **wanted: Any) -> bytes:
    body = orjson.dumps({"venue_id": house.venue_id, "party_size": 2, **wanted})
    return load.http("POST", "/bookings", token=token, body=body)


@pytest.mark.parametrize("per", ["guest", "group", "address"])
async def test_never_one_too_many(open_house: Any, everybody: Crowd, per: str) -> None:
    rule = {"per": per, "open_bookings_max": MOST} | ({"groups": ["members"]} if per == "group" else {})
    house = await open_house(resources=[FLOOR], policy={"fair_use": [rule], "holds_per_guest_max": 99})

    def token(number: int) -> str | None:
        if per == "address":
            return None
        subject = "gina" if per == "guest" else f"member-{number}"
        return house.mint(house.tenant, ["guest"], subject, groups=["members"])

    requests = [
        book(house, token(number), start=at("12:00", number % 9), hold=per == "guest" and number % 2 == 0)
        for number, _ in enumerate(everybody.clients)
    ]
    answers = await everybody.ask(requests)
    assert {each.status for each in answers} == {201, 429}
    assert {each.json()["code"] for each in answers if each.status == 429} == {"QUOTA_EXCEEDED"}
    assert sum(each.status == 201 for each in answers) == MOST
