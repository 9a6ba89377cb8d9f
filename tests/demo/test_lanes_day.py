"""An ordinary Wednesday at the boule hall: the price changes at 17:00, boules are lent, guests choose how long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from holdfast.place.opening.spans import DAYS
from tests.block.asking import PATH as BLOCKS
from tests.booking.asking import cancel, change, move, refused
from tests.conftest import House

from .looking import STOCKHOLM, Watch, coming, lines_of, opened, slugs_of

Json = dict[str, Any]


@pytest.fixture
async def day(open_house: Callable[..., Any]) -> Watch:
    house: House = await opened(open_house, "petanque")
    return Watch(house, [coming("WE", house)], parties=[20], starts=["12:00", "19:00"])


async def test_an_ordinary_wednesday(day: Watch) -> None:
    await the_price_changes_at_five(day)
    game = await guests_choose_how_long_they_play(day)
    await boules_run_out(day)
    await a_company_plays_on_four_lanes(day)
    await a_lane_is_mended(day, game)


async def the_price_changes_at_five(day: Watch) -> None:
    shown = {each["start"][11:16]: each["price"] for each in (await day.view(4))["starts"]}
    assert [shown[each] for each in ("11:00", "16:00", "16:30", "17:00", "22:00")] == [
        "240.00", "240.00", "310.00", "380.00", "380.00",
    ]  # fmt: skip
    assert "22:30" not in shown
    async with day.changes("day lane-1: available > confirmed"):
        game = await day.house.booked(day.house.gina, start=day.at("16:30"), party_size=4)
    assert lines_of(game) == ["Day 0.5 x 240.00 = 120.00", "Evening 0.5 x 380.00 = 190.00"]
    assert (game["total_price"], game["tax_amount"], game["end"][11:16]) == ("310.00", "17.55", "17:30")
    async with day.changes("day lane-7: available > confirmed"):
        terrace = {"start": day.at("16:00"), "duration_minutes": 120, "preferences": {"zones": ["terrace"]}}
        outside = await day.house.booked(day.house.gina, party_size=4, **terrace)
    assert lines_of(outside) == ["Terrace 1 x 300.00 = 300.00", "Terrace in the evening 1 x 420.00 = 420.00"]
    async with day.changes("day lane-7: confirmed > available"):
        await cancel(day.house, outside, day.house.gina)


async def guests_choose_how_long_they_play(day: Watch) -> Json:
    house = day.house
    async with day.changes():
        for minutes in (30, 75, 270):
            asked = {"start": day.at("14:00"), "duration_minutes": minutes}
            problem = refused(await house.book(house.gina, **asked), 400, "INVALID_REQUEST")
            assert problem["rule"] == "DURATION_NOT_ALLOWED"
            assert (problem["duration_minutes_min"], problem["duration_step_minutes"]) == (60, 30)
    # Whoever asks for no lane gets the first that is free: lane 1 is, until half past four.
    async with day.changes():
        game = await house.booked(house.gina, start=day.at("14:00"), duration_minutes=90)
    assert (slugs_of(game), lines_of(game)) == (["lane-1"], ["Day 1.5 x 240.00 = 360.00"])
    async with day.changes():
        longer = (await change(house, game, house.gina, duration_minutes=150)).json()
    assert lines_of(longer) == ["Day 2.5 x 240.00 = 600.00"]
    # Half an hour more, and lane 1 is taken: the house chose it, so the game moves to another.
    async with day.changes("day lane-2: available > confirmed"):
        moved = (await change(house, longer, house.gina, duration_minutes=180)).json()
    assert (slugs_of(moved), moved["total_price"]) == (["lane-2"], "720.00")
    async with day.changes():
        asked = {"start": day.at("16:30"), "resource_ids": house.ids("lane-2")}
        problem = refused(await house.book(house.gina, **asked), 409, "LANE_NOT_AVAILABLE")
        assert problem["suggested_slots"][0]["start"][11:16] == "16:30"
    return moved


async def boules_run_out(day: Watch) -> None:
    """There are 24 sets, and the shoes are for twelve."""
    house, evening = day.house, {"start": day.at("19:00"), "duration_minutes": 120}
    # A party of twenty needs four lanes in a row: now one on the terrace has to be among them.
    async with day.changes("day lane-3: available > confirmed", "20 at 19:00: 3040.00 > 3120.00"):
        asked = evening | {"resource_ids": house.ids("lane-3"), "extras": [{"id": "boules"}, {"id": "shoes"}]}
        six = await house.booked(house.gina, party_size=6, **asked)
    assert lines_of(six) == [
        "Evening 2 x 380.00 = 760.00", "Set of boules 6 x 30.00 = 180.00", "Shoes for gravel 6 x 25.00 = 150.00",
    ]  # fmt: skip
    assert six["total_price"] == "1090.00"
    asked = {"resource_ids": house.ids("lane-4"), "extras": [{"id": "boules", "quantity": 19}]}
    async with day.changes():
        problem = refused(
            await house.book(house.gina, start=day.at("20:30"), **asked), 409, "EXTRA_NOT_AVAILABLE"
        )
        assert (problem["extra_id"], problem["stock"], problem["available"]) == ("boules", 24, 18)
    # They are back at nine.
    async with day.changes("day lane-4: available > confirmed"):
        await house.booked(house.gina, start=day.at("21:00"), **asked)


async def a_company_plays_on_four_lanes(day: Watch) -> None:
    house, lanes = day.house, ["lane-4", "lane-5", "lane-6", "lane-7"]
    async with day.changes(
        *(f"day {lane}: available > confirmed" for lane in lanes[1:]), "20 at 19:00: 3120.00 > -"
    ):
        asked = {"start": day.at("18:00"), "extras": [{"id": "boules", "quantity": 12}]}
        company = await house.booked(house.gina, party_size=20, **asked)
    assert (slugs_of(company), company["end"][11:16], company["total_price"]) == (lanes, "20:00", "3480.00")
    assert lines_of(company) == [
        "Evening 6 x 380.00 = 2280.00", "Set of boules 12 x 30.00 = 360.00",
        "Terrace in the evening 2 x 420.00 = 840.00",
    ]  # fmt: skip
    # Half of them stay at home, and the others bring boules: two lanes for an hour and a half will do.
    async with day.changes("day lane-6: confirmed > available", "day lane-7: confirmed > available"):
        fewer = (await change(house, company, house.gina, party_size=10, extras=[])).json()
    assert (slugs_of(fewer), fewer["end"][11:16]) == (["lane-4", "lane-5"], "19:30")
    assert lines_of(fewer) == ["Evening 3 x 380.00 = 1140.00"]


async def a_lane_is_mended(day: Watch, game: Json) -> None:
    house = day.house
    block = {
        "venue_id": house.venue_id,
        "reason": "resurfacing",
        "start": day.at("11:00"),
        "end": day.at("15:00"),
    }
    async with day.changes("day lane-8: available > blocked"):
        made = await house.client.post(
            BLOCKS, json=block | {"resource_ids": house.ids("lane-8")}, headers=house.bob
        )
        assert made.status_code == 201, made.text
    async with day.changes():
        taken = await house.client.post(
            BLOCKS, json=block | {"resource_ids": house.ids("lane-2")}, headers=house.bob
        )
        assert [each["id"] for each in refused(taken, 409, "BLOCK_OVERLAPS_BOOKINGS")["bookings"]] == [
            game["id"]
        ]
    # Its guests come, play and leave.
    async with day.changes():
        game = (await move(house, game, "CHECKED_IN")).json()
    assert game["status"] == "CHECKED_IN"
    async with day.changes("day lane-8: blocked > available"):
        gone = await house.client.delete(
            f"{BLOCKS}/{made.json()['id']}?expected_version=1", headers=house.bob
        )
        assert gone.status_code == 204, gone.text


def days_of(booking: Json) -> list[str]:
    """The days that see the booking: at half past eleven in the evening it is two."""
    last = datetime.fromisoformat(booking["end"]) - timedelta(minutes=1)
    return list(
        dict.fromkeys(DAYS[each.weekday()] for each in (datetime.fromisoformat(booking["start"]), last))
    )


async def test_who_comes_in_off_the_street_plays_at_once(open_house: Callable[..., Any]) -> None:
    """The hall is open around the clock, whenever this test runs."""
    today = datetime.now(STOCKHOLM).date()
    days = [today + timedelta(days=n) for n in range(3)]
    open_ = [{"date": str(each), "spans": [{"open": "00:00", "close": "24:00"}]} for each in days]
    house: House = await opened(open_house, "petanque", hours={"exceptions": open_})
    day = Watch(house, days[:2])
    body: Json = {"venue_id": house.venue_id, "party_size": 3, "extras": [{"id": "boules"}]}
    async with day.changes() as lines:
        seated = await house.client.post("/walk-ins", json=body, headers=house.bob)
        assert seated.status_code == 201, seated.text
        walk_in = seated.json()
        lines += [f"{each} lane-1: available > confirmed" for each in days_of(walk_in)]
    assert (walk_in["status"], walk_in["source"], slugs_of(walk_in)) == ("CHECKED_IN", "walk_in", ["lane-1"])
    assert "Set of boules 3 x 30.00 = 90.00" in lines_of(walk_in)
    async with day.changes():
        named = body | {"resource_ids": house.ids("lane-1")}
        taken = await house.client.post("/walk-ins", json=named, headers=house.bob)
        refused(taken, 409, "LANE_NOT_AVAILABLE")
    async with day.changes(*(f"{each} lane-1: confirmed > available" for each in days_of(walk_in))):
        left = (await move(house, walk_in, "COMPLETED")).json()
    assert left["status"] == "COMPLETED"
