"""What is held back: who gets it, and who is told until when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.block.asking import blocked
from tests.conftest import House

from .asking import DAY, at, cancel, change, read, refused
from .keeping import TABLES, Json, check, held, member, until, view

Open = Callable[..., Any]


async def test_the_public_is_refused_and_told_until_when(open_house: Open) -> None:
    house: House = await open_house(**held({"resources": ["t4"], "for": "walk_in", "until_minutes": 90}))
    for who in ({}, house.gina, member(house)):
        named = {"resource_ids": house.ids("t4"), "start": at("18:00")}
        problem = refused(await house.book(who, **named), 409, "TABLE_NOT_AVAILABLE")
        assert problem["detail"].startswith(f"T4 is held back for others until {DAY} 16:30.")
        [conflict] = problem["conflicts"]
        assert conflict["reason"] == f"held back until {at('16:30')[:16]}{at('16:30')[19:]}"
        assert (conflict["start"], conflict["end"]) == (at("18:00"), at("19:00"))
        assert "owner_kind" not in conflict
        assert problem["suggested_slots"][0]["start"] == at("18:00")
        assert house.ids("t4") not in [each["resource_ids"] for each in problem["suggested_slots"]]
        seen = await check(house, who, **named)
        assert (seen["available"], seen["conflicts"]) == (False, [conflict])
    for who in (house.bob, house.alice):
        assert (await check(house, who, resource_ids=house.ids("t4")))["available"]
    await house.booked(house.bob, start=at("18:00"), resource_ids=house.ids("t4"))


async def test_a_member_gets_what_is_held_for_members_and_first(open_house: Open) -> None:
    house: House = await open_house(**held({"group": "four", "share_percent": 50, "for": "members"}))
    mia = member(house)
    booked = [(await house.booked(mia, start=at("18:00")))["resource_ids"] for _ in range(3)]
    assert booked == [house.ids("t3"), house.ids("t4"), house.ids("t1")]
    assert (await house.booked(house.gina, start=at("18:00")))["resource_ids"] == house.ids("t2")
    for _ in range(2):
        await house.booked(house.gina, start=at("20:00"))
    refused(await house.book({}, start=at("20:00")), 409, "TABLE_NOT_AVAILABLE")


async def test_others_get_it_last(open_house: Open) -> None:
    """Staff may always, and guests once it is released; the walk-in's table is the last that they get."""
    rule = {"resources": ["t1"], "for": "walk_in", "until_minutes": until("18:30")}
    house: House = await open_house(**held(rule))
    for who, clock in ((house.bob, "20:00"), (house.gina, "18:00")):
        booked = [(await house.booked(who, start=at(clock)))["resource_ids"] for _ in range(4)]
        assert booked == [house.ids(each) for each in ("t2", "t3", "t4", "t1")]
    other = [await house.book(house.gina, start=at("19:00")) for _ in range(4)]
    assert [each.status_code for each in other] == [201, 201, 201, 409]
    problem = refused(other[-1], 409, "TABLE_NOT_AVAILABLE")
    assert "Some are held back for others until" in problem["detail"]
    assert {"held back" in each.get("reason", "") for each in problem["conflicts"]} == {True, False}


@pytest.mark.parametrize("source", ["web", "phone"])
async def test_it_is_for_one_source(open_house: Open, source: str) -> None:
    house: House = await open_house(**held({"group": "four", "for": source}))
    for said in ("web", "api"):
        seen = await check(house, house.gina, source=said)
        assert seen["available"] == (said == source)
        assert (await house.book(house.gina, start=at("18:00"), source=said)).is_success == (said == source)
        assert bool((await view(house, "day", {}, source=said))["starts"]) == (said == source)


async def test_it_is_released_for_the_visits_that_are_near(open_house: Open) -> None:
    """Half past six is the first visit that is further away than `until_minutes`."""
    rule = {"group": "four", "for": "walk_in", "until_minutes": until("18:30")}
    house: House = await open_house(**held(rule))
    shown = (await view(house, "day", {}))["starts"]
    assert [each["start"] for each in shown] == [at(f"{hour}:00") for hour in range(10, 19)]
    await house.booked({}, start=at("18:00"))
    refused(await house.book({}, start=at("19:00")), 409, "TABLE_NOT_AVAILABLE")
    assert len((await view(house, "day", house.bob))["starts"]) == 13


async def test_halls_and_courts(open_house: Open) -> None:
    courts = [{"slug": "a", "kind": "facility"}, {"slug": "b", "kind": "facility"}]
    hall = {"slug": "hall", "kind": "facility", "parts": ["a", "b"]}
    house: House = await open_house(**held({"resources": ["a"], "for": "members"}, resources=[*courts, hall]))
    for slug, may in (("a", False), ("hall", False), ("b", True)):
        named = {"resource_ids": house.ids(slug)}
        assert (await check(house, house.gina, **named))["available"] is may
        assert (await check(house, member(house), **named))["available"]
        assert (await house.book(house.gina, start=at("18:00"), **named)).is_success is may


async def test_a_type_is_promised_within_the_rest(open_house: Open) -> None:
    rooms = [{"slug": f"r{n}", "kind": "room", "group": "sea", "seats_max": 2} for n in range(3)]
    rule = {"group": "sea", "share_percent": 34, "for": "members"}
    late = {"bind_group": "at_check_in", "duration_minutes_max": 4 * 24 * 60}
    house: House = await open_house(**held(rule, resources=rooms, **late), hours={})
    sea: Json = {"group": "sea", "start": at("18:00")}
    assert (await view(house, "range", {}, group="sea"))["items"][0]["free"] == 2
    for _ in range(2):
        await house.booked(house.gina, **sea)
    refused(await house.book(house.gina, **sea), 409, "ROOM_NOT_AVAILABLE")
    assert not (await check(house, house.gina, **sea))["available"]
    assert (await check(house, member(house), **sea))["available"]
    assert at("18:00") not in {
        each["start"] for each in (await view(house, "day", {}, group="sea"))["starts"]
    }
    await house.booked(member(house), **sea)
    refused(await house.book(house.bob, **sea), 409, "ROOM_NOT_AVAILABLE")


async def test_a_promise_moves_others_only_within_the_rest(open_house: Open) -> None:
    """Room for two nights exists in the rest only if another promise moves; the member's room stays free."""
    rooms = [{"slug": f"r{n}", "kind": "room", "group": "sea", "seats_max": 2} for n in range(3)]
    late = {"bind_group": "at_check_in", "duration_minutes_max": 4 * 24 * 60}
    rule = {"resources": ["r2"], "for": "members"}
    house: House = await open_house(**held(rule, resources=rooms, **late), hours={})

    def hours(first: int, last: int) -> Json:
        return {"group": "sea", "start": at(f"{first}:00"), "end": at(f"{last}:00")}

    early = [await house.booked(house.gina, **hours(12, 14)) for _ in range(2)]
    later = [await house.booked(house.gina, **hours(14, 16)) for _ in range(2)]
    await cancel(house, early[0])
    await cancel(house, later[1])
    for who, found in ((house.gina, True), (house.gina, False), (member(house), True)):
        assert (await check(house, who, **hours(12, 16)))["available"] is found
        assert (await house.book(who, **hours(12, 16))).is_success is found


async def test_a_booking_keeps_the_place_that_it_has(open_house: Open) -> None:
    house: House = await open_house(**held({"resources": ["t4"], "for": "members"}))
    given: Json = {"guest_id": "gina", "start": at("18:00")}
    booking = await house.booked(house.bob, **given, resource_ids=house.ids("t4"))
    but = {"except_booking": booking["id"], "resource_ids": house.ids("t4"), "start": at("20:00")}
    assert (await check(house, house.gina, **but))["available"]
    response = await change(house, booking, house.gina, start=at("20:00"))
    assert (response.status_code, response.json()["resource_ids"]) == (200, house.ids("t4"))
    booking = response.json()
    response = await change(house, booking, house.gina, resource_ids=house.ids("t1"))
    assert response.status_code == 200, response.text
    refused(
        await change(house, response.json(), house.gina, resource_ids=house.ids("t4")),
        409,
        "TABLE_NOT_AVAILABLE",
    )


async def test_the_views_know_that_it_keeps_its_place(open_house: Open) -> None:
    house: House = await open_house(**held({"resources": ["t1"], "for": "members"}, resources=TABLES[:1]))
    booking = await house.booked(house.bob, guest_id="gina", start=at("18:00"))
    assert (await view(house, "day", house.gina))["starts"] == []
    but = {"except_booking": booking["id"]}
    assert len((await view(house, "day", house.gina, **but))["starts"]) == 13
    assert str(DAY) in (await view(house, "month", house.gina, **but))["days"]


async def test_who_needs_another_place_gets_what_is_held_back_last(open_house: Open) -> None:
    """In a change, and among the suggestions."""
    tables = [{**TABLES[0], "seats_max": 2}, *TABLES[1:3]]
    house: House = await open_house(**held({"resources": ["t2"], "for": "members"}, resources=tables))
    booking = await house.booked(house.bob, start=at("18:00"))
    assert booking["resource_ids"] == house.ids("t1")
    response = await change(house, booking, party_size=4)
    assert (response.status_code, response.json()["resource_ids"]) == (200, house.ids("t3"))
    await house.booked(house.bob, start=at("18:00"), resource_ids=house.ids("t2"))
    problem = refused(
        await house.book(house.bob, start=at("18:00"), party_size=4), 409, "TABLE_NOT_AVAILABLE"
    )
    assert {*map(str, problem["suggested_slots"][0]["resource_ids"])} == {*house.ids("t3")}


async def test_who_lost_a_place_gets_none_that_is_held_back(open_house: Open) -> None:
    house: House = await open_house(**held({"resources": ["t2"], "for": "members"}, resources=TABLES[:3]))
    booking = await house.booked(house.gina, start=at("18:00"), resource_ids=house.ids("t1"))
    await blocked(house, "t1", start=at("17:00"), end=at("20:00"), on_conflict="displace")
    displaced = await read(house, booking, house.gina)
    refused(
        await change(house, displaced, house.gina, resource_ids=house.ids("t2")), 409, "TABLE_NOT_AVAILABLE"
    )
    response = await change(house, displaced, house.gina, resource_ids=house.ids("t3"))
    assert response.status_code == 200, response.text


async def test_a_change_goes_by_the_source_of_the_booking(open_house: Open) -> None:
    house: House = await open_house(**held({"group": "four", "for": "web"}))
    booking = await house.booked(house.gina, start=at("18:00"), source="web", resource_ids=house.ids("t1"))
    response = await change(house, booking, house.gina, resource_ids=house.ids("t2"))
    assert response.status_code == 200, response.text


async def test_members_of_another_tenant_are_nobody_here(open_house: Open) -> None:
    house: House = await open_house(**held({"group": "four", "for": "members"}))
    other: House = await open_house()
    stranger = member(other)
    body = {"venue_id": house.venue_id, "party_size": 2, "start": at("18:00")}
    refused(
        await house.client.post("/bookings/availability/check", json=body, headers=stranger), 404, "NOT_FOUND"
    )
