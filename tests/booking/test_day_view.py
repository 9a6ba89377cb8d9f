"""The day view: prices of starts, filters, and the reason why nothing is free."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import House

from .asking import DAY, at, refused


async def day(house: House, day: Any = DAY, **query: Any) -> Any:
    query = {"date": str(day), **query}
    response = await house.client.get(f"/venues/{house.venue_id}/availability/day", params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def test_prices_are_those_of_the_booking(house: House) -> None:
    rules = [
        {"label": "Early", "end": "18:00", "per": "hour", "amount": "100.00"},
        {"label": "Late", "per": "hour", "amount": "150.00"},
    ]
    await house.change_policy(price_rules=rules)
    found = await day(house)
    assert (found["reason"], found["currency"]) == (None, "SEK")
    assert found["opening_hours"]
    for start in (at("12:00"), at("17:30"), at("19:00")):
        (shown,) = (each for each in found["starts"] if each["start"] == start)
        booked = await house.booked(start=start, party_size=2)
        assert (booked["total_price"], booked["resource_ids"]) == (shown["price"], shown["resource_ids"])


async def test_filters(house: House) -> None:
    tables = [
        {"slug": "a", "kind": "table", "zone": "window", "group": "two"},
        {"slug": "b", "kind": "table", "zone": "bar", "seats_max": 2},
        {"slug": "c", "kind": "lane", "seats_max": 2},
    ]
    await house.replace({**house.document, "resources": tables})
    for query, slug in (
        ({"zones": "bar"}, "b"),
        ({"kinds": "lane"}, "c"),
        ({"group": "two", "party_size": 1}, "a"),
    ):
        found = await day(house, **query)
        assert {str(each["resource_ids"]) for each in found["starts"]} == {str(house.ids(slug))}
        month = await house.client.get(
            f"/venues/{house.venue_id}/availability/month", params={"month": f"{DAY:%Y-%m}", **query}
        )
        assert str(DAY) in month.json()["days"]
    path = f"/venues/{house.venue_id}/availability/day"
    for query in ({"zones": "moon"}, {"group": "none"}):
        response = await house.client.get(path, params={"date": str(DAY), **query})
        refused(response, 400, "INVALID_REQUEST")


async def test_reasons(house: House) -> None:
    closed = {**house.document["hours"], "exceptions": [{"date": str(DAY), "closed": True}]}
    await house.replace({**house.document, "hours": closed})
    found = await day(house)
    assert (found["reason"], found["starts"], found["opening_hours"]) == ("CLOSED", [], [])
    assert (await day(house, DAY + timedelta(days=1)))["reason"] is None
    assert (await day(house, "2020-02-05"))["reason"] == "PAST"
    assert (await day(house, DAY + timedelta(days=900)))["reason"] == "TOO_FAR_AHEAD"
    assert (await day(house, DAY + timedelta(days=1), party_size=500))["reason"] == "PARTY_TOO_LARGE"
    await house.change_policy(min_notice_minutes=366 * 24 * 60)
    assert (await day(house, DAY + timedelta(days=1)))["reason"] == "TOO_SOON"


@pytest.mark.parametrize("by", ["booking", "pacing"])
async def test_full(house: House, by: str) -> None:
    only = [{"slug": "t1", "kind": "table", "seats_min": 3, "seats_max": 4}]
    hours = {"weekly": [{"days": [f"{DAY:%a}".upper()[:2]], "open": "18:00", "close": "19:30"}]}
    await house.replace({**house.document, "resources": only, "hours": hours})
    assert (await day(house, party_size=1))["reason"] == "PARTY_TOO_SMALL"
    if by == "booking":
        await house.booked(start=at("18:00"), party_size=3, duration_minutes=90)
    else:
        await house.change_policy(pacing_covers_max=2)
    assert (await day(house, party_size=3))["reason"] == "FULL"


async def test_staff_see_a_start_that_is_a_slots_as_the_slot_they_would_get(house: House) -> None:
    slots = [{"id": "early", "name": "Early", "start": "18:00", "minutes": 120}]
    await house.replace({**house.document, "slots": slots})
    await house.change_policy(starts="slots")
    path, query = f"/venues/{house.venue_id}/availability/day", {"date": str(DAY)}
    shown = (await house.client.get(path, params=query, headers=house.bob)).json()["starts"]
    assert [(each["slot_id"], each["end"]) for each in shown if each["start"] == at("18:00")] == [
        ("early", at("20:00"))
    ]
    assert {at("17:45"), at("18:15")} <= {each["start"] for each in shown if each["slot_id"] is None}
    booked = await house.booked(start=at("18:00"))
    assert (booked["slot_id"], booked["end"]) == ("early", at("20:00"))
