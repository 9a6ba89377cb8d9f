"""Orders at venues that hold something back: each item goes by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from tests.block.asking import blocked
from tests.conftest import House

from .asking import at, cancel, change, read, refused
from .keeping import TABLES, Json, Who, held, member

Open = Callable[..., Any]
TWO: Json = {"party_size": 2}
RULE: Json = {"group": "four", "share_percent": 50, "for": "members"}
"""The last two of the four tables."""


async def order(house: House, who: Who, *items: Json, **more: Any) -> httpx.Response:
    body = {"venue_id": house.venue_id, "start": at("18:00"), "items": list(items), **more}
    return await house.client.post("/bookings", json=body, headers=who)


async def check(house: House, who: Who, *items: Json, **more: Any) -> Json:
    body = {"venue_id": house.venue_id, "start": at("18:00"), "items": list(items), **more}
    response = await house.client.post("/bookings/availability/check", json=body, headers=who)
    assert response.status_code == 200, response.text
    return response.json()


def places(booking: Json) -> list[list[str]]:
    return [each["resource_ids"] for each in booking["items"]]


async def test_each_item_gets_what_is_not_held_back_from_its_guest(open_house: Open) -> None:
    house: House = await open_house(**held(RULE))
    mine, others = ["t3", "t4", "t1"], ["t1", "t2", "t3"]
    for who, many, slugs in ((house.gina, 2, others), (member(house), 3, mine), (house.bob, 3, others)):
        expected = [house.ids(each) for each in slugs[:many]]
        seen = await check(house, who, *[TWO] * many)
        assert [each["resource_ids"] for each in seen["options"][0]["items"]] == expected
        made = await order(house, who, *[TWO] * many)
        assert (made.status_code, places(made.json())) == (201, expected)
        await cancel(house, made.json())
    for who, most in ((house.gina, 2), ({}, 2), (member(house), 4), (house.bob, 4)):
        seen = await check(house, who, *[TWO] * (most + 1))
        assert (seen["available"], seen["suggested_slots"]) == (False, [])
        made = await order(house, who, *[TWO] * (most + 1))
        assert made.status_code == 409
        said = "held back for others" in made.json()["detail"]
        assert (said, any("reason" in each for each in seen["conflicts"])) == (most == 2, most == 2)


async def test_an_item_that_names_it_is_refused(open_house: Open) -> None:
    house: House = await open_house(**held({"resources": ["t4"], "for": "walk_in"}))
    named = TWO | {"resource_ids": house.ids("t4")}
    for who in (house.gina, member(house)):
        problem = refused(await order(house, who, TWO, named), 409, "TABLE_NOT_AVAILABLE")
        assert problem["detail"].startswith("T4 is held back for others until")
        [conflict] = problem["conflicts"]
        assert conflict["reason"].startswith("held back until")
        seen = await check(house, who, TWO, named)
        assert (seen["available"], seen["conflicts"]) == (False, [conflict])
    assert (await order(house, house.bob, TWO, named)).is_success


async def test_suggestions_are_for_the_whole_order(open_house: Open) -> None:
    """Three tables are free for guests an hour earlier and later, and only two then."""
    house: House = await open_house(**held({"resources": ["t4"], "for": "members"}))
    await house.booked(house.bob, start=at("18:00"), resource_ids=house.ids("t1"))
    problem = refused(await order(house, house.gina, TWO, TWO, TWO), 409, "TABLE_NOT_AVAILABLE")
    starts = [each["start"] for each in problem["suggested_slots"]]
    assert starts == [at("17:00"), at("19:00"), at("16:00")]
    for each in problem["suggested_slots"]:
        assert house.ids("t4")[0] not in each["resource_ids"]
    assert (await order(house, member(house), TWO, TWO, TWO)).is_success


async def test_an_order_keeps_its_places(open_house: Open) -> None:
    house: House = await open_house(**held(RULE))
    named = [TWO | {"resource_ids": house.ids(each)} for each in ("t1", "t3")]
    made = (await order(house, house.bob, *named, TWO, guest_id="gina")).json()
    assert places(made) == [house.ids(each) for each in ("t1", "t3", "t2")]
    seen = await check(house, house.gina, *named, except_booking=made["id"], start=at("20:00"))
    assert seen["available"]
    response = await change(house, made, house.gina, start=at("20:00"))
    assert (response.status_code, places(response.json())) == (200, places(made)), response.text
    response = await change(house, response.json(), house.gina, items=[TWO])
    assert "Some are held back" in refused(response, 409, "TABLE_NOT_AVAILABLE")["detail"]


async def test_an_order_that_lost_its_places_gets_none_that_is_held_back(open_house: Open) -> None:
    house: House = await open_house(**held({"resources": ["t2"], "for": "members"}, resources=TABLES[:3]))
    named = TWO | {"resource_ids": house.ids("t1")}
    made = (await order(house, house.gina, named)).json()
    await blocked(house, "t1", start=at("17:00"), end=at("20:00"), on_conflict="displace")
    displaced = await read(house, made, house.gina)
    item = {"id": made["items"][0]["id"]}
    problem = await change(house, displaced, house.gina, items=[item | {"resource_ids": house.ids("t2")}])
    refused(problem, 409, "TABLE_NOT_AVAILABLE")
    response = await change(house, displaced, house.gina, items=[item | {"resource_ids": house.ids("t3")}])
    assert (response.status_code, places(response.json())) == (200, [house.ids("t3")]), response.text
