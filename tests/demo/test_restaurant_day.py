"""An ordinary Wednesday at the restaurant: two sittings, a counter, and a kitchen that cooks only so much."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.booking.asking import cancel, change, move, refused
from tests.conftest import House

from .looking import Watch, coming, lines_of, opened, slugs_of

NONE = {"allergies": "none"}


@pytest.fixture
async def day(open_house: Callable[..., Any]) -> Watch:
    house: House = await opened(open_house, "restaurant")
    return Watch(
        house, [coming("WE", house)], slots=["early", "late"], parties=[2, 4], asked={"source": "web"}
    )


async def sitting(day: Watch, slot: str, party: int, who: dict[str, str], **more: Any) -> httpx.Response:
    wanted = {"date": str(day.day), "slot_id": slot, "answers": NONE} | more
    return await day.house.book(who, party_size=party, **wanted)


async def web(day: Watch, slot: str, party: int, **more: Any) -> httpx.Response:
    """A guest books on the website."""
    return await sitting(day, slot, party, day.house.gina, source="web", **more)


async def phone(day: Watch, slot: str, party: int, **more: Any) -> httpx.Response:
    """Bob books for a guest who calls."""
    return await sitting(day, slot, party, day.house.bob, source="phone", **more)


async def test_an_ordinary_wednesday(day: Watch) -> None:
    await guests_book_sittings_and_say_what_they_can_t_eat(day)
    company, six = await friends_join_and_a_company_chooses_a_menu(day)
    await each_guest_takes_a_stool_at_the_counter(day)
    await the_kitchen_has_its_bounds(day)
    await the_evening_begins(day, company, six)


async def guests_book_sittings_and_say_what_they_can_t_eat(day: Watch) -> None:
    starts = (await day.view(2))["starts"]
    assert [
        (each["slot_id"], each["start"][11:16], each["end"][11:16], each["price"]) for each in starts
    ] == [
        ("lunch", "11:30", "12:45", "0.00"),
        ("lunch-late", "13:00", "14:15", "0.00"),
        ("early", "17:30", "19:30", "0.00"),
        ("late", "20:00", "22:30", "0.00"),
    ]
    async with day.changes():
        between = await day.house.book(day.house.gina, start=day.at("18:15"), answers=NONE)
        problem = refused(between, 400, "OFF_SLOT_STEP")
        assert [each["slot_id"] for each in problem["nearest_slots"]] == ["early", "late"]
        problem = refused(await web(day, "early", 2, answers={}), 400, "INVALID_REQUEST")
        assert [each["field"] for each in problem["errors"]] == ["answers.allergies"]
    async with day.changes("early w1: available > confirmed"):
        made = await web(day, "early", 2, answers={"allergies": "nuts", "occasion": "birthday"})
        assert made.status_code == 201, made.text


async def friends_join_and_a_company_chooses_a_menu(day: Watch) -> tuple[dict[str, Any], dict[str, Any]]:
    async with day.changes("early w2: available > confirmed"):
        pair = (await web(day, "early", 2)).json()
    assert (slugs_of(pair), pair["total_price"], pair["price_lines"]) == (["w2"], "0.00", [])
    # With two more they need a table for four; theirs is free again.
    async with day.changes("early w2: confirmed > available", "early w5: available > confirmed"):
        four = (await change(day.house, pair, day.house.gina, party_size=4)).json()
    assert (slugs_of(four), four["slot_id"], four["end"][11:16]) == (["w5"], "early", "19:30")
    async with day.changes("late h7: available > confirmed"):
        six = (await web(day, "late", 6)).json()
    async with day.changes("early h8: available > confirmed"):
        company = (await phone(day, "early", 12, guest_name="Strand & Co")).json()
    assert lines_of(company) == ["Menu 12 x 595.00 = 7140.00"]
    assert (company["total_price"], company["tax_amount"], company["tax_included"]) == (
        "7140.00",
        "765.00",
        True,
    )
    # The long table takes half an hour to lay, and is there for the second sitting.
    async with day.changes("late h8: available > confirmed"):
        await phone(day, "late", 10)
    return company, six


async def each_guest_takes_a_stool_at_the_counter(day: Watch) -> None:
    async with day.changes("late counter: available 5 > available 2"):
        assert slugs_of((await web(day, "late", 3, group="counter")).json()) == ["counter"]
    async with day.changes("late counter: available 2 > confirmed"):
        two = (await web(day, "late", 2, group="counter")).json()
    await stools_are_kept_for_walk_ins(day)
    async with day.changes("late counter: confirmed > available"):
        await change(day.house, two, day.house.gina, party_size=1)
    async with day.changes("late counter: available > confirmed"):
        assert slugs_of((await web(day, "late", 1, group="counter")).json()) == ["counter"]


async def stools_are_kept_for_walk_ins(day: Watch) -> None:
    """Until an hour before: guests are shown from when on they may have them. Staff may have them now."""
    house, released = day.house, day.at("19:00")
    async with day.changes():
        problem = refused(await web(day, "late", 2, group="counter"), 409, "SEAT_NOT_AVAILABLE")
        assert problem["detail"].startswith(
            "No seat for 2 is free at that time. Some are held back for others until"
        )
        assert f"held back until {released[:16]}" in problem["conflicts"][0]["reason"]
        assert problem["suggested_slots"] == []  # the other sitting is more than two hours away
    door = (await day.picture("late", house.gina))["sections"][-1]
    assert (door["name"], door["reason"]) == ("Counter by the door", "held back")
    assert datetime.fromisoformat(door["bookableFrom"]) == datetime.fromisoformat(released)
    async with day.changes("late counter-door: available 3 > available"):
        pair = (await phone(day, "late", 2, group="counter")).json()
    async with day.changes("late counter-door: available > available 3"):
        assert (await cancel(house, pair)).json()["status"] == "CANCELLED"
    async with day.changes("late counter-door: available 3 > available 2"):
        walked_in = await house.booked(start=day.at("21:00"), source="walk_in", party_size=1, group="counter")
    assert slugs_of(walked_in) == ["counter-door"]


async def the_kitchen_has_its_bounds(day: Watch) -> None:
    """The website has sold 6 of the 30 guests that it may in the first sitting; the house 18 of its 48."""
    async with day.changes("early h7: available > confirmed"):
        await web(day, "early", 8)
    async with day.changes(*(f"early {table}: available > confirmed" for table in ("h1", "h2", "h3"))):
        await web(day, "early", 8)
    async with day.changes(
        "early h4: available > confirmed", "early h5: available > confirmed", "4 at early: 0.00 > -"
    ):
        await web(day, "early", 6)
    async with day.changes():
        problem = refused(await web(day, "early", 4), 400, "PACING_EXCEEDED")
        assert (problem["covers_booked"], problem["covers_max"]) == (28, 30)
    async with day.changes("early w6: available > confirmed"):
        await phone(day, "early", 4)
    async with day.changes("early h6: available > confirmed", "2 at early: 0.00 > -"):
        await phone(day, "early", 4)
    async with day.changes():
        problem = refused(await phone(day, "early", 2), 400, "PACING_EXCEEDED")
        assert (problem["covers_booked"], problem["covers_max"]) == (48, 48)
    async with day.changes("early w2: available > confirmed"):
        said = {"override": ["PACING_EXCEEDED"], "override_reason": "The cook's parents."}
        family = (await phone(day, "early", 2, **said)).json()
    assert [each["code"] for each in family["overrides"]] == ["PACING_EXCEEDED"]


async def the_evening_begins(day: Watch, company: dict[str, Any], six: dict[str, Any]) -> None:
    house = day.house
    # A couple at the door sits down at a quarter past six; guests could not have booked that.
    async with day.changes("early w3: available > confirmed"):
        door = await house.booked(start=day.at("18:15"), source="walk_in", party_size=2)
        assert (door["slot_id"], door["end"][11:16], slugs_of(door)) == (None, "19:45", ["w3"])
    async with day.changes():
        door = (await move(house, door, "CHECKED_IN")).json()
        company = (await move(house, company, "CHECKED_IN")).json()
    assert (door["status"], company["status"]) == ("CHECKED_IN", "CHECKED_IN")
    async with day.changes("late h7: confirmed > available"):
        assert (await cancel(house, six, house.gina)).json()["status"] == "CANCELLED"
    listed = await house.client.get(f"/bookings/venue/{house.venue_id}", headers=house.bob)
    answers = [each["answers"] for each in listed.json()["items"] if each["status"] != "CANCELLED"]
    assert answers.count({"allergies": "nuts", "occasion": "birthday"}) == 1
