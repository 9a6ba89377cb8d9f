"""An ordinary Wednesday at the sports hall: school in all of it, a club in a half, badminton on its courts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.block.asking import PATH as BLOCKS
from tests.booking.asking import cancel, change, move, read, refused
from tests.conftest import House

from .looking import Watch, coming, lines_of, opened, slugs_of

A, B = ["court-a1", "court-a2", "court-a3"], ["court-b1", "court-b2", "court-b3"]
Json = dict[str, Any]


@pytest.fixture
async def day(open_house: Callable[..., Any]) -> Watch:
    house: House = await opened(open_house, "sports-hall")
    return Watch(
        house, [coming("WE", house)], parties=[4, 40, 100], starts=["09:00", "18:00"], guest=club(house)
    )


def club(house: House) -> dict[str, str]:
    """A club or school, for which no court is held back."""
    return house.headers("guest", subject="norr", groups=["clubs"])


def told(before: str, after: str, *slugs: str) -> list[str]:
    return [f"day {slug}: {before} > {after}" for slug in slugs]


MORNING = {"p4": "120.00", "p40": "320.00", "p100": "600.00"}


def starts(before: str, after: str, at: str, **prices: str) -> list[str]:
    """The lines that say that starts for parties, `p4="120.00"`, come or go."""
    return [f"{party[1:]} at {at}: {before or price} > {after or price}" for party, price in prices.items()]


async def test_an_ordinary_wednesday(day: Watch) -> None:
    school = await the_school_asks_for_the_hall(day)
    await the_caretaker_answers(day, school)
    await a_club_trains_in_a_half_every_week(day)
    game = await badminton_is_played_in_the_other(day)
    await nobody_has_more_than_a_share(day)
    await the_floor_is_polished(day, game)


async def the_school_asks_for_the_hall(day: Watch) -> Json:
    house = day.house
    asked = {"start": day.at("08:00"), "duration_minutes": 120, "party_size": 100, "group": "hall"}
    async with day.changes():
        refused(
            await house.book(house.gina, **asked), 409, "FACILITY_NOT_AVAILABLE"
        )  # courts of it are the members'
        problem = refused(await house.book(club(house), **asked), 400, "INVALID_REQUEST")
        assert [each["field"] for each in problem["errors"]] == ["answers.club"]
    async with day.changes(
        *told("available", "pending_approval", "hall", "half-a", "half-b", *A, *B),
        *starts("", "-", "09:00", **MORNING),
    ):
        school = await house.booked(club(house), **asked, answers={"club": "Norr school"})
    assert (school["status"], slugs_of(school)) == ("PENDING_APPROVAL", ["hall"])
    assert lines_of(school) == ["Hall 2 x 600.00 = 1200.00"]
    return school


async def the_caretaker_answers(day: Watch, school: Json) -> None:
    house = day.house
    async with day.changes(*told("pending_approval", "confirmed", "hall", "half-a", "half-b", *A, *B)):
        school = (await move(house, school, "CONFIRMED")).json()
    async with day.changes():
        asked = {"start": day.at("09:00"), "group": "court"}
        problem = refused(await house.book(house.gina, **asked), 409, "FACILITY_NOT_AVAILABLE")
        assert problem["suggested_slots"][0]["start"][11:16] == "10:00"
    # The teacher is ill.
    async with day.changes(
        *told("confirmed", "available", "hall", "half-a", "half-b", *A, *B),
        *starts("-", "", "09:00", **MORNING),
    ):
        assert (await cancel(house, school, club(house))).json()["status"] == "CANCELLED"


async def a_club_trains_in_a_half_every_week(day: Watch) -> None:
    house = day.house
    weekly = {"venue_id": house.venue_id, "rrule": "FREQ=WEEKLY;COUNT=3", "party_size": 25}
    weekly |= {"start": day.at("18:00"), "duration_minutes": 90, "resource_ids": house.ids("half-a")}
    async with day.changes(
        *told("available", "pending_approval", "hall", "half-a", *A), *starts("", "-", "18:00", p100="900.00")
    ):
        series = await house.client.post("/series", json=weekly, headers=house.bob)
        assert series.status_code == 201, series.text
    bookings = series.json()["bookings"]
    assert [each["start"][:10] for each in bookings] == [str(day.day + timedelta(weeks=n)) for n in range(3)]
    async with day.changes(*told("pending_approval", "confirmed", "hall", "half-a", *A)):
        for each in bookings:
            confirmed = (await move(house, await read(house, {"id": each["booking_id"]}), "CONFIRMED")).json()
            assert (slugs_of(confirmed), confirmed["total_price"]) == (["half-a"], "720.00")


async def badminton_is_played_in_the_other(day: Watch) -> Json:
    house = day.house
    async with day.changes(
        *told("available", "pending_approval", "half-b", "court-b1"), *starts("", "-", "18:00", p40="480.00")
    ):
        asked = {"start": day.at("18:00"), "group": "court", "extras": [{"id": "rackets"}]}
        game = await house.booked(house.gina, party_size=2, **asked)
    assert slugs_of(game) == ["court-b1"]
    assert lines_of(game) == ["Court in the evening 1 x 180.00 = 180.00", "Racket 2 x 20.00 = 40.00"]
    async with day.changes():
        asked = {"start": day.at("18:30"), "group": "half", "party_size": 40, "answers": {"club": "Norr IF"}}
        refused(await house.book(club(house), **asked), 409, "FACILITY_NOT_AVAILABLE")
    # At half past four half of it is cheaper, and the half is free again at six.
    async with day.changes(*starts("-", "", "18:00", p40="480.00")):
        game = (await change(house, game, house.gina, booking_time="16:30")).json()
    assert lines_of(game) == [
        "Court 0.5 x 120.00 = 60.00", "Court in the evening 0.5 x 180.00 = 90.00", "Racket 2 x 20.00 = 40.00",
    ]  # fmt: skip
    async with day.changes(*told("pending_approval", "confirmed", "half-b", "court-b1")):
        game = (await move(house, game, "CONFIRMED")).json()
    async with day.changes():
        assert (await move(house, game, "CHECKED_IN")).json()["status"] == "CHECKED_IN"
    return game


async def nobody_has_more_than_a_share(day: Watch) -> None:
    """Gina plays at half past four. Members may have more, and have two courts to themselves until the day before."""
    house = day.house
    nina = house.headers("guest", subject="nina", groups=["members"])
    async with day.changes():
        at_once = {"start": day.at("17:00"), "group": "court"}
        problem = refused(await house.book(house.gina, **at_once), 429, "QUOTA_EXCEEDED")
        assert (problem["bound"], problem["used"]) == ("at_once_max", 1)
        named = {"start": day.at("20:00"), "resource_ids": house.ids("court-b3")}
        problem = refused(await house.book(house.gina, **named), 409, "FACILITY_NOT_AVAILABLE")
        assert problem["detail"].startswith("Court B3 is held back for others until")
    async with day.changes(*told("available", "pending_approval", "court-b2")):
        members = await house.booked(nina, start=day.at("20:00"), group="court")
    assert slugs_of(members) == ["court-b2"]
    later = [await house.booked(house.gina, start=day.at("20:00"), group="court")]
    async with day.changes():
        problem = refused(
            await house.book(house.gina, start=day.at("21:00"), group="court"), 429, "QUOTA_EXCEEDED"
        )
        assert (problem["bound"], problem["used"]) == ("open_bookings_max", 2)
    later += [await house.booked(nina, start=day.at("12:00", days=n), group="court") for n in range(1, 4)]
    problem = refused(
        await house.book(nina, start=day.at("12:00", days=4), group="court"), 429, "QUOTA_EXCEEDED"
    )
    assert (problem["used"], problem["rule_exceeded"]["groups"]) == (4, ["members"])
    async with day.changes(*told("pending_approval", "available", "court-b2")):
        for each in (*later, members):
            assert (await cancel(house, each)).json()["status"] == "CANCELLED"


async def the_floor_is_polished(day: Watch, game: Json) -> None:
    """A block of the hall closes every court, but not one on which somebody plays."""
    house = day.house
    block = {"venue_id": house.venue_id, "resource_ids": house.ids("hall"), "reason": "polishing"}
    async with day.changes():
        when = {"start": day.at("17:00"), "end": day.at("18:00")}
        problem = refused(
            await house.client.post(BLOCKS, json=block | when, headers=house.bob),
            409,
            "BLOCK_OVERLAPS_BOOKINGS",
        )
        assert [each["id"] for each in problem["bookings"]] == [game["id"]]
    taken, free = ["hall", "half-a", "half-b", *A, B[0]], B[1:]
    async with day.changes(
        *told("confirmed", "blocked", *taken),
        *told("available", "blocked", *free),
        *starts("", "-", "09:00", **MORNING),
    ):
        when = {"start": day.at("08:00"), "end": day.at("11:00")}
        made = await house.client.post(BLOCKS, json=block | when, headers=house.bob)
        assert made.status_code == 201, made.text
    async with day.changes(
        *told("blocked", "confirmed", *taken),
        *told("blocked", "available", *free),
        *starts("-", "", "09:00", **MORNING),
    ):
        gone = await house.client.delete(
            f"{BLOCKS}/{made.json()['id']}?expected_version=1", headers=house.bob
        )
        assert gone.status_code == 204, gone.text
