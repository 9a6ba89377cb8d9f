"""The availability check, the day view and the month view: what they promise can be booked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.conftest import House

from .asking import DAY, at, cancel, refused


async def check(house: House, who: dict[str, str] | None = None, **asked: Any) -> dict[str, Any]:
    body = {"venue_id": house.venue_id, "start": at("18:00"), "party_size": 2, **asked}
    response = await house.client.post("/bookings/availability/check", json=body, headers=who or {})
    assert response.status_code == 200, response.text
    return response.json()


async def day(house: House, **query: Any) -> list[dict[str, Any]]:
    params = {"date": DAY.isoformat(), "party_size": 2, **query}
    response = await house.client.get(f"/venues/{house.venue_id}/availability/day", params=params)
    assert response.status_code == 200, response.text
    return response.json()["starts"]


async def test_what_is_free_is_said_with_seats_wasted_and_price(house: House) -> None:
    await house.change_policy(price_rules=[{"per": "guest", "amount": "100"}], tax_percent=25)
    found = await check(house, party_size=4)
    assert found["available"] is True
    assert found["options"] == [
        {"resource_ids": house.ids("t2"), "seats_wasted": 0},
        {"resource_ids": house.ids("t3"), "seats_wasted": 0},
        {"resource_ids": house.ids("s1"), "seats_wasted": 2},
        {"resource_ids": house.ids("l1"), "seats_wasted": 4},
        *({"resource_ids": ids, "seats_wasted": wasted} for ids, wasted in _joined(house)),
    ]
    assert found["price"] == {
        "base_price": "400.00",
        "tax_amount": "100.00",
        "discount_amount": "0.00",
        "total_price": "500.00",
        "tax_included": False,
        "currency": "SEK",
        "price_source": "local",
        "price_lines": [{"label": "Guest", "quantity": "4", "unit_price": "100.00", "amount": "400.00"}],
        "minimum_spend": "0.00",
        "deposit_amount": "0.00",
    }
    assert (found["conflicts"], found["suggested_slots"], found["can_join_waitlist"]) == ([], [], False)
    for option in found["options"]:
        booked = await house.booked(start=at("18:00"), party_size=4, resource_ids=option["resource_ids"])
        await cancel(house, booked)


def _joined(house: House) -> list[tuple[list[str], int]]:
    return [(house.ids("t1", "t2"), 2), (house.ids("t2", "t3"), 4), (house.ids("t1", "t2", "t3"), 6)]


async def test_nothing_is_kept_by_asking(house: House, owner: asyncpg.Connection) -> None:
    await check(house)
    await day(house)
    assert await owner.fetchval("SELECT count(*) FROM booking WHERE venue_id = $1", house.venue_id) == 0


async def test_what_is_taken_is_said_with_reasons_and_a_way_out(house: House) -> None:
    first = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    found = await check(house, resource_ids=house.ids("t1"))
    assert (found["available"], found["options"], found["can_join_waitlist"]) == (False, [], True)
    assert found["conflicts"] == [
        {
            "resource_id": house.resources["t1"],
            "resource_name": "T1",
            "start": at("18:00"),
            "end": at("19:30"),
        }
    ]
    for slot in found["suggested_slots"]:
        await cancel(house, await house.booked(**slot))
    staff = await check(house, house.bob, resource_ids=house.ids("t1"))
    assert staff["conflicts"][0]["owner_id"] == first["id"]
    assert (await check(house))["available"] is True


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"start": at("09:00")}, "OUTSIDE_OPENING_HOURS"),
        ({"start": at("18:01")}, "OFF_SLOT_STEP"),
        ({"start": "2020-01-01T12:00:00Z"}, "TOO_SOON"),
        ({"party_size": 99}, "PARTY_TOO_LARGE"),
        ({"resource_ids": ["0190a0a0-0000-7000-8000-000000000000"]}, "INVALID_REQUEST"),
    ],
)
async def test_it_refuses_as_booking_would(house: House, asked: dict[str, Any], code: str) -> None:
    body = {"venue_id": house.venue_id, "start": at("18:00"), "party_size": 2, **asked}
    refused(await house.client.post("/bookings/availability/check", json=body), 400, code)


async def test_the_day_view_has_every_free_start_and_no_other(house: House) -> None:
    await house.change_policy(slot_step_minutes=60, default_duration_minutes=60)
    only = [each for each in house.document["resources"] if each["slug"] == "l1"]
    await house.replace({**house.document, "resources": only})
    for start, end in (("12:00", "13:00"), ("17:00", "19:00")):
        await house.booked(start=at(start), end=at(end), resource_ids=house.ids("l1"))
    starts = await day(house)
    free = [hour for hour in range(10, 23) if hour not in (12, 17, 18)]
    assert [each["start"] for each in starts] == [at(f"{hour}:00") for hour in free]
    long = await day(house, duration_minutes=180)
    assert [each["start"] for each in long] == [at(f"{hour}:00") for hour in (13, 14, 19, 20)]
    for each in (*starts, *long):
        wanted = {"start": each["start"], "end": each["end"], "resource_ids": each["resource_ids"]}
        await cancel(house, await house.booked(**wanted))


async def test_the_day_view_of_a_venue_with_slots_has_its_slots_beside_the_steps(house: House) -> None:
    without = await day(house)
    slots = [
        {"id": "early", "name": "Early", "start": "17:30", "minutes": 120},
        {"id": "odd", "name": "Odd", "start": "20:07", "minutes": 60},
        {"id": "never", "name": "Never", "start": "20:00", "minutes": 60, "days": ["MO"]},
    ]
    await house.replace({**house.document, "slots": slots})
    found = await day(house)
    assert [each["start"] for each in found] == sorted(each["start"] for each in found)
    assert [each for each in found if each["slot_id"] is None] == without
    in_slots = [each for each in found if each["slot_id"] is not None]
    assert [(each["slot_id"], each["start"]) for each in in_slots] == [
        ("early", at("17:30")),
        ("odd", at("20:07")),
    ]
    assert all(each["slot_id"] is None for each in await day(house, duration_minutes=60))
    for each in in_slots:
        booked = await house.booked(date=DAY.isoformat(), slot_id=each["slot_id"])
        assert (booked["start"], booked["end"]) == (each["start"], each["end"])


async def test_a_day_that_is_closed_or_too_far_or_too_full_has_none(house: House) -> None:
    assert await day(house, party_size=99) == []
    assert await day(house, date=(DAY + timedelta(days=400)).isoformat()) == []
    assert await day(house, date="2020-01-01") == []
    hours = {**house.document["hours"], "exceptions": [{"date": DAY.isoformat(), "closed": True}]}
    await house.replace({**house.document, "hours": hours})
    assert await day(house) == []


async def test_a_stay_longer_than_is_allowed_is_refused_not_shown(house: House) -> None:
    await house.change_policy(duration_minutes_max=1500, default_duration_minutes=90)
    path = f"/venues/{house.venue_id}/availability"
    for view in (f"/day?date={DAY}&party_size=2", f"/month?month={DAY:%Y-%m}"):
        refused(await house.client.get(f"{path}{view}&duration_minutes=1501"), 400, "INVALID_REQUEST")
        assert (await house.client.get(f"{path}{view}&duration_minutes=1500")).status_code == 200


async def test_the_month_view_has_the_days_that_have_any(house: House) -> None:
    only = [each for each in house.document["resources"] if each["slug"] == "l1"]
    first = DAY.replace(day=1)
    closed = [first + timedelta(days=n) for n in (2, 9)]
    hours = {
        **house.document["hours"],
        "exceptions": [{"date": each.isoformat(), "closed": True} for each in closed],
    }
    await house.replace(
        {**house.document, "resources": only, "hours": hours, "policy": {"max_advance_days": 365}}
    )
    await house.booked(start=at("10:00"), end=at("22:00"), resource_ids=house.ids("l1"))
    path = f"/venues/{house.venue_id}/availability/month"
    params = {"month": f"{first:%Y-%m}", "party_size": "2", "duration_minutes": "90"}
    body = (await house.client.get(path, params=params)).json()
    assert body["month"] == f"{first:%Y-%m}"
    days = [first + timedelta(days=n) for n in range(31)]
    full = {DAY, *closed}
    assert body["days"] == [
        each.isoformat() for each in days if each.month == first.month and each not in full
    ]
    short = (await house.client.get(path, params={**params, "duration_minutes": "60"})).json()
    assert DAY.isoformat() in short["days"]


async def test_views_follow_what_changed_elsewhere(house: House, owner: asyncpg.Connection, app: Any) -> None:
    """Another process changed the venue: a reader here sees it soon, though it decides on nothing."""
    assert await day(house)
    await owner.execute(
        """UPDATE venue SET hours = '{"weekly": [], "exceptions": []}', rules_version = rules_version + 1
            WHERE id = $1""",
        house.venue_id,
    )
    kept = app.state.engine.places._venues[UUID(house.venue_id)]
    app.state.engine.places._venues[UUID(house.venue_id)] = (kept[0] - 3, kept[1])  # as if 3 s had gone by
    assert (await day(house))[0]["start"] == at("00:00")
