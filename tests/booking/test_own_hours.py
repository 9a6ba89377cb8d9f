"""Resources with hours of their own beyond the venue's: bookable, and therefore shown, wherever something is shown."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from holdfast.place.opening.spans import DAYS
from tests.conftest import House

from .asking import DAY, at, change, read, refused

NOON_TO_TEN = {"weekly": [{"days": list(DAYS), "open": "12:00", "close": "22:00"}], "exceptions": []}
BREAKFAST = {"weekly": [{"days": list(DAYS), "open": "07:10", "close": "10:10"}], "exceptions": []}
TABLE = {"slug": "t1", "kind": "table", "seats_max": 4}
TERRACE = {"slug": "terrace", "kind": "section", "seats_max": 6, "hours": BREAKFAST}


@pytest.fixture
async def cafe(house: House) -> House:
    await house.replace({**house.document, "hours": NOON_TO_TEN, "resources": [TABLE, TERRACE], "slots": []})
    return house


async def view(house: House, which: str, **query: Any) -> Any:
    query = ({"date": str(DAY)} if which == "day" else {"month": f"{DAY:%Y-%m}"}) | query
    response = await house.client.get(f"/venues/{house.venue_id}/availability/{which}", params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def check(house: House, **wanted: Any) -> httpx.Response:
    body = {"venue_id": house.venue_id, "party_size": 2, **wanted}
    return await house.client.post("/bookings/availability/check", json=body)


async def test_the_day_view_shows_both_on_their_own_steps(cafe: House) -> None:
    starts = (await view(cafe, "day"))["starts"]
    by_resource = {
        slug: [each["start"] for each in starts if each["resource_ids"] == cafe.ids(slug)]
        for slug in ("t1", "terrace")
    }
    assert by_resource["terrace"] == [at(f"{n // 60:02}:{n % 60:02}") for n in range(430, 521, 15)]
    assert by_resource["t1"][0] == at("12:00")
    assert by_resource["t1"][-1] == at("20:30")
    assert len(by_resource["t1"]) + len(by_resource["terrace"]) == len(starts)
    # What is shown can be booked, without naming the terrace.
    booked = await cafe.booked(start=by_resource["terrace"][1])
    assert booked["resource_ids"] == cafe.ids("terrace")


async def test_the_month_shows_days_on_which_only_the_terrace_is_open(cafe: House) -> None:
    closed = {**NOON_TO_TEN, "exceptions": [{"date": str(DAY), "closed": True}]}
    await cafe.replace({**cafe.document, "hours": closed, "resources": [TABLE, TERRACE]})
    assert str(DAY) in (await view(cafe, "month"))["days"]
    assert len((await view(cafe, "day"))["starts"]) == 7
    assert (await view(cafe, "day", party_size=6, duration_minutes=180))["starts"][0]["start"] == at("07:10")


async def test_the_check_and_the_booking_agree(cafe: House) -> None:
    for preferences in (None, {"kinds": ["section"]}):
        found = (await check(cafe, start=at("07:25"), preferences=preferences)).json()
        assert [each["resource_ids"] for each in found["options"]] == [cafe.ids("terrace")]
    body = refused(await check(cafe, start=at("07:30")), 400, "OFF_SLOT_STEP")
    assert body["nearest"] == [at("07:25")[:16] + at("07:25")[19:], at("07:40")[:16] + at("07:40")[19:]]
    body = refused(await cafe.book(start=at("10:30"), party_size=2), 400, "OUTSIDE_OPENING_HOURS")
    opened = [(each["open"][11:16], each["close"][11:16]) for each in body["opening_hours"]]
    assert opened == [("07:10", "10:10"), ("12:00", "22:00")]
    refused(
        await check(cafe, start=at("12:00"), preferences={"kinds": ["section"]}), 400, "OUTSIDE_OPENING_HOURS"
    )


async def test_suggestions_and_the_waitlist_know_its_hours(cafe: House) -> None:
    await cafe.booked(start=at("07:10"), duration_minutes=90)
    body = refused(await cafe.book(start=at("07:40"), party_size=2), 409, "TABLE_NOT_AVAILABLE")
    assert [each["start"] for each in body["suggested_slots"]] == [at("08:40")]
    assert body["suggested_slots"][0]["resource_ids"] == cafe.ids("terrace")
    window = {"earliest": at("07:10"), "latest": at("08:00")}
    entry = {"venue_id": cafe.venue_id, "party_size": 2, "guest_name": "Gina", **window}
    response = await cafe.client.post("/waitlist", json=entry, headers=cafe.gina)
    assert response.status_code == 201, response.text


async def test_staff_who_overrule_the_hours_get_any_table(cafe: House) -> None:
    asked = {
        "start": at("10:30"),
        "party_size": 2,
        "override": ["OUTSIDE_OPENING_HOURS"],
        "override_reason": "ok",
    }
    refused(await cafe.book(start=at("10:30"), party_size=2), 400, "OUTSIDE_OPENING_HOURS")
    booked = await cafe.booked(cafe.bob, **asked)
    assert booked["resource_ids"] == cafe.ids("t1")


async def test_slots_on_a_day_on_which_only_the_terrace_is_open(cafe: House) -> None:
    hours = {**NOON_TO_TEN, "exceptions": [{"date": str(DAY), "closed": True}]}
    slots = [
        {"id": "early", "name": "Breakfast", "start": "07:20", "minutes": 100},
        {"id": "dinner", "name": "Dinner", "start": "18:00", "minutes": 100},
    ]
    await cafe.replace({**cafe.document, "hours": hours, "resources": [TABLE, TERRACE], "slots": slots})
    await cafe.change_policy(starts="slots")
    starts = (await view(cafe, "day"))["starts"]
    assert [(each["slot_id"], each["resource_ids"]) for each in starts] == [("early", cafe.ids("terrace"))]
    booked = await cafe.booked(cafe.gina, date=str(DAY), slot_id="early", party_size=2)
    assert booked["start"] == at("07:20")


async def test_other_preferences_put_no_booking_where_it_is_closed_then(cafe: House) -> None:
    booking = await cafe.booked(start=at("12:00"), party_size=2)
    terrace = {"kinds": ["section"]}
    refused(await change(cafe, booking, preferences=terrace), 400, "OUTSIDE_OPENING_HOURS")
    refused(await change(cafe, booking, resource_ids=cafe.ids("terrace")), 400, "OUTSIDE_OPENING_HOURS")
    assert await read(cafe, booking) == booking
    early = (await change(cafe, booking, start=at("08:10"), preferences=terrace)).json()
    assert early["resource_ids"] == cafe.ids("terrace")
