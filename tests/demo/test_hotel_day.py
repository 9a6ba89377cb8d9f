"""An ordinary weekend at the hotel: types and no rooms until the guests come, weekend nights, breakfast, no arrivals on
Sunday."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from holdfast.place.opening.spans import DAYS
from tests.booking.asking import cancel, change, move, refused
from tests.conftest import House

from .looking import STOCKHOLM, Watch, coming, lines_of, opened, slugs_of

Json = dict[str, Any]


@pytest.fixture
async def stay(open_house: Callable[..., Any]) -> Watch:
    """Friday to Monday."""
    house: House = await opened(open_house, "hotel")
    friday = coming("FR", house)
    dates = [friday + timedelta(days=n) for n in range(4)]
    return Watch(house, dates, parties=[4], by_group=True, with_range=True)


def sold(group: str, before: int, after: int, *nights: str, total: int = 40) -> list[str]:
    """The lines that say that so many rooms of a type are free on these nights, in the picture and in the range."""
    lines = [f"{night} {group} free: {before} > {after}" for night in nights]
    return lines + [f"{night} {group}: {rooms(before, total)} > {rooms(after, total)}" for night in nights]


def rooms(free: int, total: int) -> str:
    said = [f"{free} available"] * (free > 0) + [f"{total - free} confirmed"] * (free < total)
    return " ".join(said)


async def booked(stay: Watch, group: str, nights: int, days: int = 0, **more: Any) -> Json:
    """Gina books, to arrive so many days after Friday."""
    arrival = stay.day + timedelta(days=days)
    return await stay.house.booked(stay.house.gina, arrival=str(arrival), nights=nights, group=group, **more)


async def test_an_ordinary_weekend(stay: Watch) -> None:
    weekend = await each_night_has_the_price_of_its_date(stay)
    await nobody_arrives_on_sunday(stay)
    weekend = await guests_change_their_minds(stay, weekend)
    await two_suites_serve_three_parties(stay)
    await the_desk_gives_rooms(stay, weekend)


async def each_night_has_the_price_of_its_date(stay: Watch) -> Json:
    async with stay.changes(*sold("sea", 40, 39, "FR", "SA", "SU")):
        weekend = await booked(stay, "sea", 3, extras=[{"id": "breakfast", "quantity": 2}])
    assert (weekend["resource_ids"], weekend["group"], weekend["status"]) == ([], "sea", "RESERVED")
    assert (weekend["start"][11:16], weekend["end"][11:16], weekend["nights"]) == ("15:00", "11:00", 3)
    assert lines_of(weekend) == [
        "Breakfast 6 x 145.00 = 870.00",
        "Sea view 1 x 1850.00 = 1850.00",
        "Sea view at the weekend 2 x 2150.00 = 4300.00",
    ]
    assert (weekend["total_price"], weekend["tax_amount"]) == ("7020.00", "752.14")
    return weekend


async def nobody_arrives_on_sunday(stay: Watch) -> None:
    house, sunday = stay.house, stay.dates[2]
    async with stay.changes():
        asked = {"arrival": str(sunday), "nights": 1, "group": "yard"}
        problem = refused(await house.book(house.gina, **asked), 400, "INVALID_REQUEST")
        assert (problem["rule"], problem["next_arrival"]) == ("STAY_NOT_ALLOWED", str(stay.dates[3]))
    assert (await stay.view(2, on=sunday))["starts"] == []
    params = {"from": str(stay.day), "to": str(stay.dates[3]), "group": "yard"}
    shown = await house.client.get(f"/venues/{house.venue_id}/availability/range", params=params)
    items = [(each["free"], each["price_from"], each["closed_to_arrival"]) for each in shown.json()["items"]]
    assert items == [
        (40, "1650.00", False), (40, "1650.00", False), (40, "1395.00", True), (40, "1395.00", False),
    ]  # fmt: skip
    # Who is there on Sunday may stay.
    async with stay.changes(*sold("yard", 40, 39, "SA", "SU")):
        await booked(stay, "yard", 2, days=1)


async def guests_change_their_minds(stay: Watch, weekend: Json) -> Json:
    house = stay.house
    async with stay.changes(*sold("sea", 39, 40, "SU")):
        weekend = (await change(house, weekend, house.gina, nights=2)).json()
    assert lines_of(weekend) == [
        "Breakfast 4 x 145.00 = 580.00", "Sea view at the weekend 2 x 2150.00 = 4300.00",
    ]  # fmt: skip
    async with stay.changes(*sold("sea", 39, 38, "FR"), *sold("sea", 40, 39, "MO")):
        named = await booked(stay, "sea", 1)
        monday = await booked(stay, "sea", 1, days=3)
    assert named["total_price"] == "2150.00"
    async with stay.changes(*sold("sea", 38, 39, "FR"), *sold("sea", 39, 40, "MO")):
        for each in (named, monday):
            assert (await cancel(house, each, house.gina)).json()["status"] == "CANCELLED"
    return weekend


async def two_suites_serve_three_parties(stay: Watch) -> None:
    """The others are painted. Friday and Saturday night need a suite each, and so do both: no guest has to move."""
    house, (friday, saturday, *_) = stay.house, stay.dates
    painted = [f"room-{n}" for n in (*range(501, 521), *range(601, 619))]
    block = {"venue_id": house.venue_id, "resource_ids": house.ids(*painted), "reason": "painters"}
    block |= {"start": f"{friday}T08:00:00Z", "end": f"{saturday + timedelta(days=1)}T10:00:00Z"}
    async with stay.changes(
        "FR suite: 40 available > 2 available 38 blocked", "FR suite free: 40 > 2",
        "SA suite: 40 available > 2 available 38 blocked", "SA suite free: 40 > 2",
    ):  # fmt: skip
        made = await house.client.post("/chain/maintenance-blocks", json=block, headers=house.bob)
        assert made.status_code == 201, made.text
    async with stay.changes(
        "FR suite: 2 available 38 blocked > 1 available 38 blocked 1 confirmed", "FR suite free: 2 > 1",
        "SA suite: 2 available 38 blocked > 1 available 38 blocked 1 confirmed", "SA suite free: 2 > 1",
    ):  # fmt: skip
        await booked(stay, "suite", 1, party_size=4)
        await booked(stay, "suite", 1, days=1, party_size=4)
    async with stay.changes(
        "FR suite: 1 available 38 blocked 1 confirmed > 38 blocked 2 confirmed", "FR suite free: 1 > 0",
        "SA suite: 1 available 38 blocked 1 confirmed > 38 blocked 2 confirmed", "SA suite free: 1 > 0",
        "4 at 15:00: 3950.00 > -",
    ):  # fmt: skip
        assert (await booked(stay, "suite", 2, party_size=4))["total_price"] == "7900.00"
    async with stay.changes():
        asked = {"arrival": str(saturday), "nights": 1, "group": "suite", "party_size": 4}
        refused(await house.book(house.gina, **asked), 409, "ROOM_NOT_AVAILABLE")
        refused(await house.book(house.gina, **asked | {"group": "sea"}), 400, "PARTY_TOO_LARGE")


async def the_desk_gives_rooms(stay: Watch, weekend: Json) -> None:
    house = stay.house
    # They call from the motorway: a night has the date of its evening, however late one comes.
    async with stay.changes():
        weekend = (await change(house, weekend, start=stay.at("01:30", days=1))).json()
    assert (weekend["arrival"], weekend["nights"], weekend["total_price"]) == (str(stay.day), 2, "4880.00")
    async with stay.changes():
        weekend = (await move(house, weekend, "CHECKED_IN")).json()
    (room,) = weekend["resources"]
    assert (room["group"], slugs_of(weekend)) == ("sea", ["room-301"])
    # Nobody else gets that room until they go, which is a night early.
    async with stay.changes():
        asked = {"arrival": str(stay.dates[1]), "nights": 1, "resource_ids": weekend["resource_ids"]}
        refused(await house.book(house.gina, **asked), 409, "ROOM_NOT_AVAILABLE")
    async with stay.changes(*sold("sea", 39, 40, "SA")):
        weekend = (await change(house, weekend, end=stay.at("10:00", days=1))).json()
    assert (weekend["departure"], weekend["nights"], weekend["total_price"]) == (
        str(stay.dates[1]),
        1,
        "2440.00",
    )
    async with stay.changes(*sold("sea", 40, 39, "SA")):
        assert slugs_of(await house.booked(house.gina, **asked)) == ["room-301"]


async def test_who_asks_for_a_room_tonight_gets_one(open_house: Callable[..., Any]) -> None:
    """Whenever this test runs: until check-out it is still the night before. On Sundays it takes a manager."""
    house: House = await opened(open_house, "hotel")
    today = datetime.now(STOCKHOLM).date()
    tonight = Watch(house, [today - timedelta(days=1), today], by_group=True)
    async with tonight.changes() as lines:
        body = {"venue_id": house.venue_id, "party_size": 2, "group": "yard", "guest_name": "At the desk"}
        body |= {"override": ["STAY_NOT_ALLOWED"], "override_reason": "The last train is gone."}
        seated = await house.client.post("/walk-ins", json=body, headers=house.alice)
        assert seated.status_code == 201, seated.text
        walk_in = seated.json()
        night = DAYS[date.fromisoformat(walk_in["arrival"]).weekday()]
        lines.append(f"{night} yard: 40 available > 39 available 1 confirmed")
    assert (walk_in["status"], walk_in["nights"], slugs_of(walk_in)) == ("CHECKED_IN", 1, ["room-101"])
    assert walk_in["total_price"] == ("1650.00" if night in ("FR", "SA") else "1395.00")
