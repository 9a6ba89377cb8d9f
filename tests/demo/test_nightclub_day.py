"""An ordinary Friday at the club: a night that ends on Saturday, sections with a minimum spend, 300 tickets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.booking.asking import cancel, change, move, refused
from tests.conftest import House

from .looking import Watch, coming, lines_of, opened, slugs_of

EARLY, LATE, NIGHT = "slot_21_00", "slot_00_30", "night"
Json = dict[str, Any]


@pytest.fixture
async def day(open_house: Callable[..., Any]) -> Watch:
    house: House = await opened(open_house, "nightclub")
    return Watch(
        house, [coming("FR", house)], slots=[EARLY, LATE, NIGHT], parties=[14], asked={"group": "vip"}
    )


async def booked(day: Watch, slot: str, party: int, **more: Any) -> Json:
    """Gina books as a guest, with the date of Friday."""
    wanted = {"date": str(day.day), "slot_id": slot, "answers": {"age": True}} | more
    return await day.house.booked(day.house.gina, party_size=party, **wanted)


def told(section: str, before: str, after: str, *slots: str) -> list[str]:
    """The lines that say that a section changes so in these slots."""
    return [f"{slot} {section}: {before} > {after}" for slot in slots]


async def test_an_ordinary_friday(day: Watch) -> None:
    aurora = await the_late_half_is_after_midnight_and_friday_s(day)
    await a_section_costs_what_is_drunk_there(day, aurora)
    await the_floor_sells_tickets(day)
    await the_ice_bar_has_ten_places(day)
    await a_section_is_the_members(day)
    await the_door_seats_whom_it_likes(day)


async def the_late_half_is_after_midnight_and_friday_s(day: Watch) -> Json:
    house, saturday = day.house, day.day + timedelta(days=1)
    starts = (await day.view(10))["starts"]
    assert [(each["slot_id"], each["start"][:16], each["end"][:16], each["price"]) for each in starts] == [
        (EARLY, f"{day.day}T21:00", f"{saturday}T00:00", "0.00"),
        (NIGHT, f"{day.day}T21:00", f"{saturday}T04:00", "0.00"),
        (LATE, f"{saturday}T00:30", f"{saturday}T04:00", "0.00"),
    ]
    async with day.changes():
        for answers in ({}, {"age": False}):
            asked = {"date": str(day.day), "slot_id": LATE, "party_size": 10, "answers": answers}
            problem = refused(await house.book(house.gina, **asked), 400, "INVALID_REQUEST")
            assert [each["field"] for each in problem["errors"]] == ["answers.age"]
        problem = refused(
            await house.book(house.gina, start=day.at("22:00"), answers={"age": True}), 400, "OFF_SLOT_STEP"
        )
        assert {each["slot_id"] for each in problem["nearest_slots"]} <= {EARLY, LATE, NIGHT}
    async with day.changes(*told("vip-aurora", "available", "held", LATE, NIGHT)):
        aurora = await booked(day, LATE, 10, group="vip")
    assert (aurora["booking_date"], aurora["booking_time"], aurora["slot_id"]) == (
        str(saturday),
        "00:30",
        LATE,
    )
    return aurora


async def a_section_costs_what_is_drunk_there(day: Watch, aurora: Json) -> None:
    house = day.house
    assert (aurora["status"], aurora["total_price"], aurora["price_lines"]) == ("PENDING", "0.00", [])
    assert (aurora["minimum_spend"], aurora["deposit_amount"]) == ("8000.00", "2400.00")
    async with day.changes(*told("vip-aurora", "held", "confirmed", LATE, NIGHT)):
        paid = (await move(house, aurora, "RESERVED")).json()
    # The first half of the night is still to be had, cleared half an hour before the second.
    async with day.changes(*told("vip-aurora", "available", "held", EARLY)):
        first = await booked(day, EARLY, 12, resource_ids=house.ids("vip-aurora"))
    async with day.changes():
        asked = {"date": str(day.day), "slot_id": NIGHT, "answers": {"age": True}}
        asked |= {"resource_ids": house.ids("vip-aurora"), "party_size": 8}
        refused(await house.book(house.gina, **asked), 409, "SECTION_NOT_AVAILABLE")
        refused(await house.book(house.gina, **asked | {"party_size": 3}), 400, "PARTY_TOO_SMALL")
    async with day.changes(*told("vip-aurora", "held", "available", EARLY)):
        await cancel(house, first, house.gina)
    # Twenty want to stay all night: the igloo, whose minimum is higher.
    async with day.changes(
        *told("vip-aurora", "confirmed", "available", LATE, NIGHT),
        *told("vip-iglo", "available", "confirmed", EARLY, LATE, NIGHT),
        *(f"14 at {slot}: 0.00 > -" for slot in (EARLY, LATE, NIGHT)),
    ):
        paid = (await change(house, paid, house.gina, date=str(day.day), slot_id=NIGHT, party_size=20)).json()
    assert (slugs_of(paid), paid["minimum_spend"], paid["deposit_amount"]) == (
        ["vip-iglo"],
        "15000.00",
        "4500.00",
    )
    async with day.changes():
        assert (await move(house, paid, "CHECKED_IN")).json()["status"] == "CHECKED_IN"


async def the_floor_sells_tickets(day: Watch) -> None:
    for slot, price in ((EARLY, "140.00"), (LATE, "180.00"), (NIGHT, "220.00")):
        sections = {each["name"]: each for each in (await day.picture(slot, day.house.gina))["sections"]}
        assert sections["Floor"]["priceFrom"] == price
        assert (sections["VIP Iglo"]["priceFrom"], sections["VIP Iglo"]["minimumSpend"]) == (
            "0.00",
            "15000.00",
        )
    async with day.changes(*told("floor", "available 300", "available 296", EARLY, LATE, NIGHT)):
        four = await booked(day, NIGHT, 4, group="ticket")
    assert lines_of(four) == ["Ticket for the night 4 x 220.00 = 880.00"]
    assert (four["total_price"], four["tax_amount"], four["deposit_amount"]) == ("880.00", "176.00", "264.00")
    async with day.changes(*told("floor", "available 296", "available 286", EARLY, NIGHT)):
        assert lines_of(await booked(day, EARLY, 10, group="ticket")) == [
            "Early ticket 10 x 140.00 = 1400.00"
        ]
    # All night needs a ticket for both halves: there are as many as the fuller half has.
    async with day.changes(*told("floor", "available 296", "available 290", LATE)):
        six = await booked(day, LATE, 6, group="ticket")
    assert lines_of(six) == ["Late ticket 6 x 180.00 = 1080.00"]
    async with day.changes(*told("floor", "available 290", "available 292", LATE)):
        six = (await change(day.house, six, day.house.gina, party_size=4)).json()
    assert (six["total_price"], six["slot_id"]) == ("720.00", LATE)
    async with day.changes():
        asked = {"date": str(day.day), "slot_id": LATE, "group": "ticket", "answers": {"age": True}}
        refused(await day.house.book(day.house.gina, party_size=11, **asked), 400, "PARTY_TOO_LARGE")
    async with day.changes(*told("floor", "available 292", "available 296", LATE)):
        await cancel(day.house, six, day.house.gina)


async def the_ice_bar_has_ten_places(day: Watch) -> None:
    for left, next_ in (("available 10", "available 6"), ("available 6", "available 2")):
        async with day.changes(*told("ice-bar", left, next_, EARLY, NIGHT)):
            assert (await booked(day, EARLY, 4, group="ice-bar"))["total_price"] == "600.00"
    async with day.changes():
        asked = {"date": str(day.day), "slot_id": EARLY, "group": "ice-bar", "answers": {"age": True}}
        refused(await day.house.book(day.house.gina, party_size=3, **asked), 409, "SECTION_NOT_AVAILABLE")
    async with day.changes(*told("ice-bar", "available 2", "held", EARLY, NIGHT)):
        await booked(day, EARLY, 2, group="ice-bar")


async def a_section_is_the_members(day: Watch) -> None:
    """Until the day before; a member is given it first, and leaves the others to others."""
    house = day.house
    asked = {"date": str(day.day), "slot_id": LATE, "party_size": 6, "answers": {"age": True}}
    async with day.changes():
        named = asked | {"resource_ids": house.ids("gallery-3")}
        problem = refused(await house.book(house.gina, **named), 409, "SECTION_NOT_AVAILABLE")
        thursday = f"{day.day}T00:30"
        assert f"held back until {thursday}" in problem["conflicts"][0]["reason"]
    sections = {each["name"]: each for each in (await day.picture(LATE, house.gina))["sections"]}
    assert (sections["Gallery 3"]["state"], sections["Gallery 3"]["reason"]) == ("unavailable", "held back")
    async with day.changes(*told("gallery-3", "available", "held", LATE, NIGHT)):
        nina = house.headers("guest", subject="nina", groups=["members"])
        members = await house.booked(nina, **asked, group="gallery")
    assert slugs_of(members) == ["gallery-3"]
    async with day.changes(*told("gallery-1", "available", "held", LATE, NIGHT)):
        others = await booked(day, LATE, 6, group="gallery")
    async with day.changes(*told("gallery-1", "held", "available", LATE, NIGHT)):
        await cancel(house, others, house.gina)


async def the_door_seats_whom_it_likes(day: Watch) -> None:
    """Staff are bound to no half of the night."""
    house = day.house
    asked = {"start": day.at("23:30"), "duration_minutes": 90, "group": "gallery", "party_size": 5}
    async with day.changes(*told("gallery-1", "available", "held", EARLY, LATE, NIGHT)):
        seated = await house.booked(source="walk_in", **asked)
    async with day.changes(*told("gallery-1", "held", "confirmed", EARLY, LATE, NIGHT)):
        seated = (await move(house, seated, "RESERVED")).json()
    async with day.changes():
        assert (await move(house, seated, "CHECKED_IN")).json()["status"] == "CHECKED_IN"
