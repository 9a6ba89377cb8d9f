"""What is said where there is no room for all of an order: how much of it is free, and if another time may do."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from holdfast.booking.deciding.decide import decide
from holdfast.booking.deciding.known import Known, Refused
from holdfast.booking.deciding.prepare import prepare
from holdfast.port.pricing import LocalPricing
from tests.conftest import House

from .asking import at, change, instant, refused
from .test_order_places import TABLES, fits, occupied
from .test_order_places import order as asked_order
from .test_orders import order, ordered
from .test_orders_placed import POLICY, table

TWO = {"party_size": 2}
ELSEWHERE = "There is not room for all of it within two hours either: choose another time, or order less."
NEVER = "There is never room for all of it: order less."


def hall(**more: Any) -> list[dict[str, Any]]:
    lanes = [{"slug": each, "name": each.upper(), "kind": "lane", "seats_max": 4} for each in ("a", "b")]
    return [*lanes, {"slug": "h", "name": "Hall", "kind": "facility", "seats_max": 20, "parts": ["a", "b"]}]


async def told(house: House, code: str, *items: dict[str, Any], **more: Any) -> str:
    body = refused(await order(house, *items, **more), 409, code)
    assert isinstance(body["suggested_slots"], list)
    return body["detail"]


async def test_some_of_many_alike_are_free(open_house: Any) -> None:
    house: House = await open_house(policy=POLICY, resources=[table(f"t{n}") for n in range(4)])
    await house.booked(start=at("12:00"), end=at("22:30"), resource_ids=house.ids("t1"))
    detail = await told(house, "TABLE_NOT_AVAILABLE", *[TWO] * 4)
    assert detail == f"Of the 4 tables for 2 in this order, 3 are free at that time. {ELSEWHERE}"
    detail = await told(house, "TABLE_NOT_AVAILABLE", *[TWO] * 4, start=at("11:00"))
    assert (
        detail
        == "Of the 4 tables for 2 in this order, 3 are free at that time. Take one of the suggested slots."
    )


async def test_what_never_fits_is_no_matter_of_time(open_house: Any) -> None:
    house: House = await open_house(policy=POLICY, resources=[table("t1"), table("t2")])
    detail = await told(house, "TABLE_NOT_AVAILABLE", *[TWO] * 3)
    assert detail == f"Of the 3 tables for 2 in this order, 2 are free at that time. {NEVER}"
    named = {**TWO, "resource_ids": house.ids("t1")}
    detail = await told(house, "TABLE_NOT_AVAILABLE", named, TWO, TWO)
    assert detail == f"Not all 3 tables of this order are free together at that time, but 2 are. {NEVER}"
    detail = await told(house, "TABLE_NOT_AVAILABLE", named, named)
    assert detail == "Another item of this order takes T1: name something else for one of them."


async def test_things_that_exclude_each_other(open_house: Any) -> None:
    """The hall is its lanes: those who want most may leave out the hall."""
    house: House = await open_house(policy=POLICY, resources=[*hall(), table("t1", 8)])
    whole, lane = {"party_size": 12}, {"party_size": 3, "preferences": {"kinds": ["lane"]}}
    detail = await told(house, "FACILITY_NOT_AVAILABLE", whole, lane, lane)
    assert detail == f"Not all 3 things of this order are free together at that time, but 2 are. {NEVER}"


async def test_what_may_be_this_or_that_is_not_counted_as_one_of_them(open_house: Any) -> None:
    house: House = await open_house(policy=POLICY, resources=[table("t1"), *hall()[:2]])
    detail = await told(house, "TABLE_NOT_AVAILABLE", *[TWO] * 4)
    assert detail == f"Of the 4 things for 2 in this order, 3 are free at that time. {NEVER}"
    tables = {**TWO, "preferences": {"kinds": ["table"]}}
    detail = await told(house, "TABLE_NOT_AVAILABLE", *[tables] * 2)
    assert detail == f"Of the 2 tables for 2 in this order, 1 is free at that time. {NEVER}"


async def test_a_counter_that_is_named_twice_may_have_room_at_another_time(open_house: Any) -> None:
    bar = {"slug": "bar", "name": "Bar", "kind": "seat", "seats_max": 6, "units": 6, "takes": "guests"}
    house: House = await open_house(policy=POLICY, resources=[bar])
    await house.booked(start=at("18:00"), party_size=2)
    stools = {"party_size": 3, "resource_ids": house.ids("bar")}
    detail = await told(house, "SEAT_NOT_AVAILABLE", stools, stools)
    assert detail.startswith(
        "Not both things of this order are free together at that time, but 1 is. Take one"
    )
    four = {**stools, "party_size": 4}
    detail = await told(house, "SEAT_NOT_AVAILABLE", four, stools, start=at("12:00"))
    assert detail == "Another item of this order takes Bar: name something else for one of them."


async def test_one_thing_that_is_taken_is_said_to_be(open_house: Any) -> None:
    house: House = await open_house(policy=POLICY, resources=[table("t1"), table("t2")])
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    named = {**TWO, "resource_ids": house.ids("t1")}
    detail = await told(house, "TABLE_NOT_AVAILABLE", named, TWO)
    assert detail.startswith("T1 is taken at that time. Take one")
    await house.booked(start=at("18:00"), resource_ids=house.ids("t2"))
    detail = await told(house, "TABLE_NOT_AVAILABLE", TWO, TWO)
    assert detail.startswith("No table for 2 is free at that time.")


async def test_a_change_is_refused_in_the_same_words(open_house: Any) -> None:
    house: House = await open_house(policy=POLICY, resources=[table("t1"), table("t2")])
    made = await ordered(house, TWO)
    body = refused(await change(house, made, items=[TWO, TWO]), 409, "TABLE_NOT_AVAILABLE")
    assert body["detail"].endswith(NEVER)


async def test_stays_are_told_of_other_dates(open_house: Any) -> None:
    rooms = [{"slug": f"r{n}", "name": f"R{n}", "kind": "room", "group": "double"} for n in range(2)]
    house: House = await open_house(stay={"check_in": "15:00", "check_out": "11:00"}, resources=rooms)
    day = at("12:00")[:10]
    body = {"venue_id": house.venue_id, "arrival": day, "nights": 20, "party_size": 1, "group": "double"}
    early = {**body, "arrival": at("12:00", -10)[:10]}
    assert (await house.client.post("/bookings", json=early, headers=house.bob)).status_code == 201
    items = [{"group": "double", "party_size": 1}] * 2
    asked = {"venue_id": house.venue_id, "arrival": day, "nights": 1, "items": items}
    problem = refused(
        await house.client.post("/bookings", json=asked, headers=house.bob), 409, "ROOM_NOT_AVAILABLE"
    )
    assert problem["detail"] == (
        "Of the 2 rooms for 1 in this order, 1 is free at that time. There is not room for all of it up to three days "
        "before or after either: choose other dates, or order less."
    )


@pytest.mark.parametrize("seed", range(3))
async def test_as_many_as_it_says_are_free_together(open_house: Any, app: FastAPI, seed: int) -> None:
    """Compared with trying every way; what never fits does not fit at the empty venue either."""
    resources = [
        {"slug": slug, "kind": "table", "seats_min": least, "seats_max": most}
        for slug, (least, most) in TABLES.items()
    ]
    house: House = await open_house(resources=resources)
    venue = await app.state.engine.places.venue(UUID(house.venue_id))
    ids = {slug: UUID(house.resources[slug]) for slug in TABLES}
    dice, said = random.Random(seed), set[str]()
    for _ in range(60):
        free = dice.sample(sorted(TABLES), dice.randint(1, 6))
        asked = [(dice.randint(1, 8), None) for _ in range(dice.randint(2, 5))]
        known = Known(now=instant("12:00"), occupancy=occupied(venue, ids, free))
        outcome = decide(prepare(asked_order(venue, ids, asked), venue, now=known.now), known, LocalPricing())
        if not isinstance(outcome, Refused):
            continue
        detail = outcome.error.detail
        if NEVER in detail:
            said.add("never")
            assert not fits(asked, sorted(TABLES)), (seed, asked, free)
        elif not detail.startswith("No table"):
            assert fits(asked, sorted(TABLES)), (seed, asked, free)
        if " but " in detail:
            said.add("some")
            together = int(detail.split(" but ")[1].split()[0])
            assert most(asked, free) >= together >= most(asked, free) - 1, (seed, asked, free, detail)
    assert said == {"never", "some"}, f"seed {seed}"


def most(asked: list[tuple[int, str | None]], free: list[str]) -> int:
    """How many of the parties get a table, whichever they are."""
    if fits(asked, free):
        return len(asked)
    return max((most(asked[:n] + asked[n + 1 :], free) for n in range(len(asked))), default=0)
