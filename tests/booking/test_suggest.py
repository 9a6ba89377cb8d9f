"""Suggestions beside a refusal: near, and really free. Each is taken at its word and booked."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from holdfast.booking.finding import suggest as suggesting
from tests.conftest import House
from tests.processes import until

from .asking import DAY, at, cancel, change, instant, refused

ALL_WEEK = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


async def suggested(house: House, **wanted: Any) -> list[dict[str, Any]]:
    response = await house.book(**wanted)
    assert response.status_code == 409, response.text
    return response.json()["suggested_slots"]


async def each_is_bookable(house: House, slots: list[dict[str, Any]], **wanted: Any) -> None:
    """One after the other, since they may overlap."""
    assert slots
    for slot in slots:
        assert set(slot) == {"start", "end", "resource_ids"}
        booked = await house.booked(**{**wanted, **slot})
        assert (await cancel(house, booked)).status_code == 200


async def test_the_same_time_elsewhere_then_the_nearest_starts_on_the_same_table(house: House) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("t1"), "duration_minutes": 60}
    await house.booked(**wanted)
    slots = await suggested(house, **wanted)
    assert slots == [
        {"start": at("18:00"), "end": at("19:00"), "resource_ids": house.ids("t2")},
        {"start": at("17:00"), "end": at("18:00"), "resource_ids": house.ids("t1")},
        {"start": at("19:00"), "end": at("20:00"), "resource_ids": house.ids("t1")},
    ]
    await each_is_bookable(house, slots)


async def test_equivalent_tables_where_the_same_has_nothing(house: House) -> None:
    wanted = {"party_size": 4, "resource_ids": house.ids("t2"), "start": at("18:00")}
    await house.booked(**{**wanted, "start": at("14:00"), "end": at("22:30")})
    slots = await suggested(house, **wanted)
    # T1 is too small and the lane no table: T3, at that very time.
    assert slots[0] == {"start": at("18:00"), "end": at("19:30"), "resource_ids": house.ids("t3")}
    assert all(slot["resource_ids"] == house.ids("t3") for slot in slots)
    await each_is_bookable(house, slots, party_size=4)


async def test_nothing_is_farther_than_two_hours_or_more_than_three(house: House) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("l1"), "duration_minutes": 15}
    await house.booked(start=at("16:15"), end=at("19:45"), resource_ids=house.ids("l1"))
    slots = await suggested(house, **wanted)
    assert [slot["start"] for slot in slots] == [at("19:45"), at("16:00"), at("20:00")]
    await each_is_bookable(house, slots)
    await house.booked(start=at("15:00"), end=at("16:15"), resource_ids=house.ids("l1"))
    await house.booked(start=at("19:45"), end=at("20:15"), resource_ids=house.ids("l1"))
    body = refused(await house.book(**wanted), 409, "LANE_NOT_AVAILABLE")
    assert body["suggested_slots"] == []
    assert (
        body["detail"]
        == "L1 is taken at that time. Nothing is free within two hours of it: choose another time."
    )


async def test_they_keep_the_rules(house: House) -> None:
    """Closing time, buffers, pacing and notice bind suggestions as they bind bookings."""
    await house.change_policy(
        slot_step_minutes=30, buffer_before_minutes=15, buffer_after_minutes=15, pacing_covers_max=4
    )
    await house.booked(start=at("20:30"), end=at("22:00"), resource_ids=house.ids("t1"))
    await house.booked(start=at("19:00"), end=at("20:00"), party_size=4, resource_ids=house.ids("t2"))
    slots = await suggested(house, start=at("21:00"), end=at("22:00"), resource_ids=house.ids("t1"))
    starts = {slot["start"] for slot in slots}
    assert at("19:00") not in starts, "four guests arrive then already"
    assert at("22:30") not in starts, "it would end after closing"
    assert at("19:30") not in starts or house.ids("t1") not in [slot["resource_ids"] for slot in slots], (
        "buffers"
    )
    await each_is_bookable(house, slots)


async def test_several_lanes_move_together(house: House) -> None:
    lanes = [
        {"slug": f"l{n}", "name": f"L{n}", "kind": "lane", "seats_max": 6, "sort_order": n}
        for n in range(1, 7)
    ]
    await house.replace({**house.document, "resources": lanes})
    wanted = {"start": at("18:00"), "party_size": 12, "resource_ids": house.ids("l1", "l2", "l3")}
    await house.booked(start=at("16:00"), end=at("20:00"), resource_ids=house.ids("l2"))
    slots = await suggested(house, **wanted)
    assert {"start": at("18:00"), "end": at("19:30"), "resource_ids": house.ids("l3", "l4", "l5")} in slots
    assert all(len(slot["resource_ids"]) == 3 for slot in slots)
    await each_is_bookable(house, slots, party_size=12)


async def test_where_no_table_is_named_any_that_fits_is(house: House) -> None:
    preferred = {"preferences": {"kinds": ["table"]}, "party_size": 3}
    for table in ("t2", "t3"):
        await house.booked(start=at("17:00"), end=at("19:00"), resource_ids=house.ids(table))
    body = refused(await house.book(start=at("17:30"), **preferred), 409, "TABLE_NOT_AVAILABLE")
    assert {conflict["resource_name"] for conflict in body["conflicts"]} == {"T2", "T3"}
    for slot in body["suggested_slots"]:
        assert abs(instant("17:30") - datetime.fromisoformat(slot["start"])) <= timedelta(hours=2)
    await each_is_bookable(house, body["suggested_slots"], party_size=3)


async def test_a_table_with_hours_of_its_own_is_suggested_when_it_can_be_named(house: House) -> None:
    """Its step counts from its own opening: what the venue's step allows may not be right for it."""
    own = {"weekly": [{"days": ALL_WEEK, "open": "11:20", "close": "22:50"}]}
    tables = [
        {"slug": "t2", "name": "T2", "kind": "table", "seats_max": 4},
        {"slug": "t3", "name": "T3", "kind": "table", "seats_max": 4, "hours": own},
        {"slug": "t4", "name": "T4", "kind": "table", "seats_max": 4},
    ]
    policy = {"slot_step_minutes": 30}
    await house.replace({**house.document, "resources": tables, "policy": policy})
    await house.booked(start=at("17:00"), end=at("20:00"), resource_ids=house.ids("t2"))
    wanted = {"start": at("18:00"), "party_size": 4, "resource_ids": house.ids("t2")}
    await each_is_bookable(house, await suggested(house, **wanted), party_size=4)
    asked = {"venue_id": house.venue_id, "start": at("18:00"), "party_size": 4}
    check = await house.client.post("/bookings/availability/check", json=asked, headers=house.bob)
    assert check.json()["options"] == [{"resource_ids": house.ids("t4"), "seats_wasted": 0}]
    day = await house.client.get(f"/venues/{house.venue_id}/availability/day?date={DAY}&party_size=4")
    await each_is_bookable(house, [without_slot(each) for each in day.json()["starts"]], party_size=4)


def without_slot(start: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in start.items() if name not in ("slot_id", "price")}


async def test_two_openings_may_hold_the_same_time(open_house: Any) -> None:
    """One goes on after midnight, and another has begun by then: each has steps of its own."""
    week = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
    hours = {
        "weekly": [{"days": week, "open": "00:30", "close": "05:00"}],
        "exceptions": [{"date": str(DAY), "spans": [{"open": "23:30", "close": "02:30"}]}],
    }
    policy = {"slot_step_minutes": 25, "default_duration_minutes": 25}
    house: House = await open_house(hours=hours, policy=policy, resources=[{"slug": "t1", "name": "T1"}])
    wanted = {"start": at("00:20", 1), "resource_ids": house.ids("t1")}
    await house.booked(**wanted)
    slots = await suggested(house, **wanted)
    assert {each["start"] for each in slots} == {at("23:55"), at("00:45", 1), at("00:55", 1)}
    await each_is_bookable(house, slots, party_size=2)


async def test_for_a_slot_off_the_step_as_well(house: House) -> None:
    slots = [{"id": "odd", "name": "Odd", "start": "19:07", "minutes": 100}]
    await house.replace({**house.document, "slots": slots})
    wanted = {"date": DAY.isoformat(), "slot_id": "odd"}
    await house.booked(**wanted, resource_ids=house.ids("t2"), party_size=4)
    found = await suggested(house, **wanted, resource_ids=house.ids("t2"), party_size=4)
    assert {"start": at("19:07"), "end": at("20:47"), "resource_ids": house.ids("t3")} in found
    await each_is_bookable(house, found, party_size=4)


@pytest.mark.parametrize("party", [1, 2])
async def test_split_capacity_suggests_where_a_unit_is_left(house: House, party: int) -> None:
    wanted = {"start": at("18:00"), "party_size": party, "resource_ids": house.ids("s1")}
    for _ in range(10):
        await house.booked(**wanted)
    slots = await suggested(house, **wanted)
    assert [slot["start"] for slot in slots] == [at("16:30"), at("19:30"), at("16:15")]
    await each_is_bookable(house, slots, party_size=party)


async def test_of_many_refused_at_once_some_get_none_and_are_told_so(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever books or looks meanwhile need not wait for them."""
    await house.booked(start=at("10:00"), end=at("22:30"), resource_ids=house.ids("t1"))
    running, most, go_on = 0, 0, asyncio.Event()

    async def slow(*_: Any) -> list[Any]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go_on.wait()
        running -= 1
        return [{"start": "soon"}]

    monkeypatch.setattr(suggesting, "suggest", slow)
    monkeypatch.setattr(suggesting, "TURN_S", 0.001)
    clocks = [f"{hour}:{minute}" for hour in (12, 15, 18) for minute in ("00", "15", "30", "45")]
    asked = [
        asyncio.create_task(house.book(start=at(clock), resource_ids=house.ids("t1"))) for clock in clocks
    ]

    async def all_but_few() -> bool:
        return sum(task.done() for task in asked) == len(asked) - suggesting.AT_ONCE_MAX

    await until(all_but_few)
    await house.booked(start=at("18:00"), resource_ids=house.ids("t2"))
    asking = {"venue_id": house.venue_id, "start": at("18:00"), "party_size": 2}
    check = await house.client.post("/bookings/availability/check", json=asking, headers=house.bob)
    assert check.json()["available"]
    assert most == suggesting.AT_ONCE_MAX
    go_on.set()
    bodies = [refused(await task, 409, "TABLE_NOT_AVAILABLE") for task in asked]
    offered = {body["detail"] for body in bodies if body["suggested_slots"]}
    assert offered == {"T1 is taken at that time. Take one of the suggested slots."}
    turned_away = [body["detail"] for body in bodies if not body["suggested_slots"]]
    told = "T1 is taken at that time. There was no time to look for alternatives: check what else is free that day."
    assert turned_away == [told] * (len(clocks) - suggesting.AT_ONCE_MAX)


async def test_hours_and_pacing_are_refused_with_what_can_be_booked(house: House) -> None:
    """For a new booking and for a change, with a key and without; each suggestion is taken at its word."""
    await house.change_policy(pacing_covers_max=2)
    await house.booked(start=at("18:00"), resource_ids=house.ids("l1"))
    mine = await house.booked(start=at("14:00"), resource_ids=house.ids("t1"))
    for start, code in (("18:00", "PACING_EXCEEDED"), ("22:30", "OUTSIDE_OPENING_HOURS")):
        for key in ({}, {"idempotency_key": f"k-{start}"}):
            wanted = {"start": at(start), "resource_ids": house.ids("t1")}
            for response in (await house.book(**wanted, **key), await change(house, mine, **wanted, **key)):
                body = refused(response, 400, code)
                assert body["detail"].endswith("Take one of the suggested slots.")
                assert len(body["suggested_slots"]) == 3
            await each_is_bookable(house, body["suggested_slots"])
    far = refused(await house.book(start=at("02:00")), 400, "OUTSIDE_OPENING_HOURS")
    assert far["suggested_slots"] == []
    assert "suggested" not in far["detail"]
