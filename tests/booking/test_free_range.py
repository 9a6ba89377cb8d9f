"""What is free of each type on many days: as many bookings as it says can be made, and no more."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import httpx
import pytest

from holdfast.place.opening.spans import DAYS
from tests.conftest import House

from .asking import DAY, at, refused
from .test_orders import blocked

Json = dict[str, Any]


async def ask(house: House, **query: Any) -> httpx.Response:
    query = {"from": str(DAY), "to": str(DAY)} | query
    return await house.client.get(f"/venues/{house.venue_id}/availability/range", params=query)


async def items(house: House, **query: Any) -> list[Json]:
    response = await ask(house, **query)
    assert response.status_code == 200, response.text
    return response.json()["items"]


def _document(rng: random.Random) -> Json:
    breakfast = {"weekly": [{"days": list(DAYS), "open": "07:10", "close": "11:10"}]}
    resources = [
        {
            "slug": f"r{n}",
            "kind": "room",
            "group": rng.choice(["twin", "sea", None]),
            "seats_max": rng.choice([1, 2, 3]),
            "units": rng.choice([1, 1, 3]),
            "takes": rng.choice(["party", "guests"]),
            "hours": rng.choice([None, None, breakfast]),
        }
        for n in range(6)
    ]
    for each in resources:
        each["seats_max"] = (
            min(each["seats_max"], each["units"]) if each["takes"] == "guests" else each["seats_max"]
        )
    resources[0] |= {"group": "twin", "hours": None}
    return {
        "hours": {"weekly": [{"days": list(DAYS), "open": "12:00", "close": "15:00"}]},
        "policy": {"default_duration_minutes": 90, "slot_step_minutes": 30},
        "resources": resources,
    }


@pytest.mark.parametrize("seed", range(3))
async def test_as_many_can_be_booked_at_some_start(seed: int, open_house: Any) -> None:
    rng = random.Random(seed)
    house: House = await open_house(**_document(rng))
    for start in ("12:00", "13:00", "08:10"):
        await house.book(start=at(start), party_size=rng.choice([1, 2]))
    for asked in await items(house, party_size=1, to=str(DAY + timedelta(days=1))):
        if asked["group"] is None:
            continue
        offset = 0 if asked["date"] == str(DAY) else 1
        made = {start: await _book_all(house, at(start, offset), asked["group"]) for start in _STARTS}
        assert max(made.values()) == asked["free"], (seed, asked, made)


_STARTS = ("12:00", "13:30", "07:10", "08:40", "09:40")
"""Starts of which each resource has as many one after another as it can have."""


async def _book_all(house: House, start: str, group: str) -> int:
    """Returns how many bookings of the type can be made then; cancels them."""
    made = list[Json]()
    while (answer := await house.book(start=start, party_size=1, group=group)).is_success:
        made.append(answer.json())
    for each in made:
        path, body = f"/bookings/{each['id']}/cancel", {"expected_version": each["version"]}
        assert (await house.client.post(path, json=body, headers=house.bob)).is_success
    return len(made)


async def test_prices_and_types_in_order(open_house: Any) -> None:
    rules = [
        {"label": "Sea", "groups": ["sea"], "per": "booking", "amount": "390.00"},
        {"label": "Early", "end": "13:00", "per": "booking", "amount": "100.00"},
        {"label": "Room", "per": "booking", "amount": "240.00"},
    ]
    rooms = [{"slug": f"r{n}", "kind": "room", "group": "sea" if n < 2 else None} for n in range(5)]
    house: House = await open_house(resources=rooms, policy={"price_rules": rules})
    response = (await ask(house, to=str(DAY + timedelta(days=1)), party_size=1)).json()
    assert response["currency"] == house.document["currency"]
    assert [
        (each["date"], each["group"], each["free"], each["price_from"]) for each in response["items"]
    ] == [
        (str(DAY), "sea", 2, "390.00"),
        (str(DAY), None, 3, "100.00"),
        (str(DAY + timedelta(days=1)), "sea", 2, "390.00"),
        (str(DAY + timedelta(days=1)), None, 3, "100.00"),
    ]
    (only,) = await items(house, group="sea", party_size=1)
    assert (only["group"], only["free"], only["nights_min"]) == ("sea", 2, None)
    (none,) = await items(house, group="sea", party_size=30)
    assert (none["free"], none["price_from"]) == (0, None)


async def test_days_that_cannot_be_booked_have_nothing(house: House) -> None:
    found = await items(house, **{"from": "2020-01-01", "to": "2020-01-02"})
    assert [(each["date"], each["free"]) for each in found] == [("2020-01-01", 0), ("2020-01-02", 0)]


async def test_it_is_bounded(house: House) -> None:
    assert len(await items(house, to=str(DAY + timedelta(days=61)))) == 62
    for to in (DAY + timedelta(days=62), DAY - timedelta(days=1)):
        body = refused(await ask(house, to=str(to)), 400, "INVALID_REQUEST")
        assert body["errors"][0]["field"] == "to"
    body = refused(await ask(house, group="nothing"), 400, "INVALID_REQUEST")
    assert body["errors"][0]["field"] == "group"


async def test_nights_count_one_by_one(open_house: Any) -> None:
    closed = str(DAY + timedelta(days=3))
    rules = [{"from": str(DAY), "to": str(DAY), "nights_min": 2, "closed_to_departure": list(DAYS)}]
    house: House = await open_house(
        stay={"check_in": "15:00", "check_out": "11:00"},
        hours={
            "exceptions": [{"date": closed, "closed": True}],
            "weekly": [{"days": list(DAYS), "open": "07:00", "close": "23:00"}],
        },
        policy={
            "arrival_rules": rules,
            "price_rules": [{"label": "Night", "per": "night", "amount": "90.00"}],
        },
        resources=[{"slug": f"r{n}", "kind": "room", "group": "sea", "seats_max": 2} for n in range(3)],
    )
    await house.booked(arrival=str(DAY + timedelta(days=1)), nights=2, group="sea")
    found = await items(house, to=closed)
    assert [(each["free"], each["price_from"], each["nights_min"]) for each in found] == [
        (3, "90.00", 2),
        (2, "90.00", 1),
        (2, "90.00", 1),
        (0, None, 1),
    ]
    assert [each["closed_to_departure"] for each in found] == [True, False, False, False]
    # What is free can be booked: the third room as well, and then no more.
    for _ in range(2):
        await house.booked(arrival=str(DAY + timedelta(days=1)), nights=1, group="sea")
    assert [each["free"] for each in await items(house, to=closed)] == [3, 0, 2, 0]
    refused(
        await house.book(arrival=str(DAY + timedelta(days=1)), nights=1, group="sea"),
        409,
        "ROOM_NOT_AVAILABLE",
    )


async def test_what_shares_parts_or_may_not_arrive_counts_once(open_house: Any) -> None:
    courts = [{"slug": f"c{n}", "kind": "facility", "group": "court"} for n in range(2)]
    hall = {"slug": "hall", "kind": "facility", "group": "court", "parts": ["c0", "c1"], "seats_max": 8}
    house: House = await open_house(resources=[*courts, hall])
    assert [each["free"] for each in await items(house)] == [2]
    await house.change_policy(pacing=[{"parties_max": 1}])
    assert [each["free"] for each in await items(house)] == [1]
    await house.booked(start=at("12:00"), group="court")
    assert [each["free"] for each in await items(house)] == [0]


async def test_what_is_free_in_pieces_alone_has_no_price(open_house: Any) -> None:
    """At every instant of the night one of the rooms is free, but none for all of it."""
    rooms = [{"slug": f"r{n}", "kind": "room", "group": "sea", "seats_max": 2} for n in (0, 1)]
    stay = {"check_in": "15:00", "check_out": "11:00"}
    house: House = await open_house(
        kind="hotel", stay=stay, policy={"bind_group": "at_check_in"}, resources=rooms
    )
    for slug, start, end in (("r0", "16:00", "20:00"), ("r1", "21:00", "23:00")):
        times = {"start": at(start), "end": at(end), "reason": "Leak"}
        await blocked(house, {"venue_id": house.venue_id, "resource_ids": house.ids(slug), **times})
    [item] = await items(house)
    assert (item["free"], item["price_from"]) == (0, None)
