"""A change of a venue lists the bookings that no longer fit, and leaves them as they are."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.conftest import House

from .asking import DAY, at, change, instant, move
from .changing import bookings, edited, replaced, unfit

Json = dict[str, Any]
WEEK = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
LATE_SLOT = {"id": "late", "name": "Late", "start": "21:00", "minutes": 60}


CASES: dict[str, tuple[Callable[[House], Json], str]] = {
    "closed that day": (
        lambda house: {
            "hours": house.document["hours"] | {"exceptions": [{"date": str(DAY), "closed": True}]}
        },
        "OUTSIDE_OPENING_HOURS",
    ),
    "closes earlier": (
        lambda house: {"hours": {"weekly": [{"days": WEEK, "open": "10:00", "close": "19:00"}]}},
        "OUTSIDE_OPENING_HOURS",
    ),
    "hours of its own": (
        lambda house: {
            "resources": edited(
                house, "t2", hours={"weekly": [{"days": WEEK, "open": "10:00", "close": "12:00"}]}
            )
        },
        "OUTSIDE_OPENING_HOURS",
    ),
    "fewer seats": (lambda house: {"resources": edited(house, "t2", seats_max=3)}, "PARTY_TOO_LARGE"),
    "for more": (
        lambda house: {"resources": edited(house, "t2", seats_min=5, seats_max=6)},
        "PARTY_TOO_SMALL",
    ),
    "out of use": (lambda house: {"resources": edited(house, "t2", active=False)}, "TABLE_NOT_AVAILABLE"),
    "coarser steps": (
        lambda house: {"policy": house.document["policy"] | {"slot_step_minutes": 60}},
        "OFF_SLOT_STEP",
    ),
    "shorter visits": (
        lambda house: {
            "policy": house.document["policy"] | {"duration_minutes_max": 60, "default_duration_minutes": 60}
        },
        "INVALID_REQUEST",
    ),
    "another time zone": (lambda house: {"timezone": "Europe/Helsinki"}, "TIMEZONE_CHANGED"),
    "slower arrivals": (
        lambda house: {"policy": house.document["policy"] | {"pacing_covers_max": 3}},
        "PACING_EXCEEDED",
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_each_kind_of_change(house: House, name: str) -> None:
    visit = await house.booked(
        start=at("18:15"), duration_minutes=75, party_size=4, resource_ids=house.ids("t2")
    )
    edit, reason = CASES[name]
    assert await unfit(house, **edit(house)) == {visit["booking_reference"]: reason}
    # It was listed when it was made unfit. Later changes list what they make unfit themselves.
    assert await unfit(house, **edit(house), name="Another") == {}


async def test_what_still_fits_is_not_listed(house: House) -> None:
    await house.booked(start=at("12:00"), party_size=2, resource_ids=house.ids("t2"))
    over = await house.booked(start=at("18:15"), party_size=4, resource_ids=house.ids("t2"))
    await change(house, over, guest_name="Gina")
    gone = await house.booked(start=at("18:15"), party_size=4, resource_ids=house.ids("t3"))
    await move(house, gone, "CANCELLED")
    same = {"timezone": "Europe/Oslo", "currency": "EUR", "name": "Same clock"}
    assert await unfit(house, **same) == {}
    shorter = {"weekly": [{"days": WEEK, "open": "10:00", "close": "14:00"}]}
    assert await unfit(house, **same, hours=shorter) == {over["booking_reference"]: "OUTSIDE_OPENING_HOURS"}


async def test_buffers_that_collide_list_both(house: House) -> None:
    first = await house.booked(start=at("18:00"), duration_minutes=60, resource_ids=house.ids("t2"))
    second = await house.booked(start=at("19:15"), duration_minutes=60, resource_ids=house.ids("t2"))
    await house.booked(start=at("21:00"), duration_minutes=60, resource_ids=house.ids("t2"))
    await house.booked(start=at("19:00"), duration_minutes=60, resource_ids=house.ids("t3"))
    buffers = house.document["policy"] | {"buffer_before_minutes": 10, "buffer_after_minutes": 10}
    reason = "TABLE_NOT_AVAILABLE"
    assert await unfit(house, policy=buffers) == {
        first["booking_reference"]: reason,
        second["booking_reference"]: reason,
    }


async def test_units_that_are_too_few_with_buffers_list_all_at_that_time(house: House) -> None:
    section = house.ids("s1")
    touching = [
        (await house.booked(start=at(clock), duration_minutes=60, resource_ids=section))["booking_reference"]
        for clock in ("18:00", "18:00", "19:00", "19:00", "21:00")
    ]
    changed = edited(house, "s1", units=3, buffer_after_minutes=15)
    found = await unfit(house, resources=changed)
    assert found == dict.fromkeys(touching[:4], "SECTION_NOT_AVAILABLE")


async def test_guests_who_take_a_unit_each_and_wholes_count_by_what_they_take(
    open_house: Callable[..., Any],
) -> None:
    counter = {"slug": "counter", "kind": "seat", "units": 8, "takes": "guests", "seats_max": 8}
    hall = {"slug": "hall", "kind": "facility", "parts": ["a", "b"], "seats_max": 20}
    courts = [{"slug": slug, "kind": "facility", "seats_max": 8} for slug in "ab"]
    house: House = await open_house(resources=[counter, hall, *courts])

    async def visit(clock: str, slug: str, party_size: int) -> str:
        wanted = {"start": at(clock), "duration_minutes": 60, "party_size": party_size}
        return (await house.booked(resource_ids=house.ids(slug), **wanted))["booking_reference"]

    early, late = await visit("18:00", "counter", 5), await visit("19:00", "counter", 4)
    await visit("18:00", "counter", 2)
    await visit("20:00", "counter", 3)
    whole, part = await visit("18:00", "hall", 12), await visit("19:00", "b", 2)
    await visit("19:00", "a", 2)
    changed = [
        counter | {"buffer_after_minutes": 15},
        hall,
        courts[0],
        courts[1] | {"buffer_before_minutes": 15},
    ]
    found = await unfit(house, resources=changed)
    assert {late, early} <= found.keys()
    assert (found.pop(whole), found.pop(part)) == ("FACILITY_NOT_AVAILABLE", "FACILITY_NOT_AVAILABLE")
    assert set(found.values()) == {"SEAT_NOT_AVAILABLE"}
    assert len(found) == 3  # 5 and 2 until 19:15, and 4 from 19:00; the 3 at 20:00 fit


async def test_what_is_removed_is_refused_while_it_is_in_use_and_foreseen(house: House) -> None:
    visit = await house.booked(start=at("18:15"), resource_ids=house.ids("t3"))
    document = copy.deepcopy(house.document)
    document["resources"] = [each for each in document["resources"] if each["slug"] != "t3"]
    document["resources"][1]["adjacent"] = []
    dry = await replaced(house, document, dry_run=True)
    [listed] = dry["bookings_that_no_longer_fit"]
    assert (listed["id"], listed["reason"]) == (visit["id"], "TABLE_NOT_AVAILABLE")
    assert "T3" in listed["detail"]
    real = await house.client.post("/venues/import", json=document, headers=house.alice)
    assert (real.status_code, real.json()["errors"]) == (400, dry["problems"])


async def test_a_slot_that_moved_or_went(open_house: Callable[..., Any]) -> None:
    house = await open_house(slots=[LATE_SLOT])
    visit = await house.booked(date=str(DAY), slot_id="late", resource_ids=house.ids("t2"))
    moved = await unfit(house, slots=[LATE_SLOT | {"start": "20:00"}])
    assert moved == {visit["booking_reference"]: "SLOT_CHANGED"}
    assert await unfit(house, slots=[LATE_SLOT | {"name": "As before"}]) == {}
    assert await unfit(house, slots=[]) == {visit["booking_reference"]: "SLOT_CHANGED"}


async def test_another_time_zone_is_said_and_reinterprets_nothing(house: House) -> None:
    visit = await house.booked(start=at("18:15"), party_size=4, resource_ids=house.ids("t2"))
    path = f"/venues/{house.venue_id}"
    body = {"timezone": "America/New_York", "expected_version": house.venue["version"]}
    answer = await house.client.patch(path, json=body, headers=house.alice)
    [listed] = answer.json()["bookings_that_no_longer_fit"]
    assert listed["reason"] in ("OUTSIDE_OPENING_HOURS", "TIMEZONE_CHANGED")
    assert any("keep their instants" in note for note in answer.json()["notes"])
    [kept] = await bookings(house)
    assert kept == {**visit, "venue_name": "", "resources": []}
    assert (kept["booking_time"], datetime.fromisoformat(kept["start"])) == ("18:15", instant("18:15"))


async def test_a_visit_that_is_under_way_counts(house: House) -> None:
    always = {"weekly": []}
    await replaced(house, house.document | {"hours": always})
    house.document = house.document | {"hours": always}
    body = {"venue_id": house.venue_id, "party_size": 2, "resource_ids": house.ids("t2")}
    seated = await house.client.post("/walk-ins", json=body, headers=house.bob)
    assert seated.status_code == 201, seated.text
    reference = seated.json()["booking_reference"]
    assert await unfit(house, resources=edited(house, "t2", active=False)) == {
        reference: "TABLE_NOT_AVAILABLE"
    }


async def test_a_long_list_is_cut_and_counted(house: House, database_url: str) -> None:
    visit = await house.booked(start=at("12:00"), resource_ids=house.ids("l1"))
    await copies(database_url, visit["id"], 2499)
    document = house.document | {"hours": {"weekly": [{"days": WEEK, "open": "18:00", "close": "23:00"}]}}
    answer = await replaced(house, document, dry_run=True)
    listed = answer["bookings_that_no_longer_fit"]
    assert (len(listed), answer["bookings_that_no_longer_fit_total"]) == (100, 2500)
    assert [each["start"] for each in listed] == sorted(each["start"] for each in listed)


COPIES = """
    INSERT INTO booking
    SELECT (jsonb_populate_record(NULL::booking, to_jsonb(b) || jsonb_build_object(
               'id', gen_random_uuid(), 'reference', b.reference || number, 'idempotency_key', NULL,
               'start_at', b.start_at + number * interval '1 day', 'end_at', b.end_at + number * interval '1 day',
               'local_start', b.local_start + number * interval '1 day',
               'local_end', b.local_end + number * interval '1 day'))).*
      FROM booking b, generate_series(1, $2) AS number
     WHERE b.id = $1
"""


async def copies(database_url: str, booking_id: str, number: int) -> None:
    """As many copies of the booking, one a day."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(COPIES, booking_id, number)
    finally:
        await connection.close()


def a_change(chance: random.Random, document: Json) -> Json:
    """The document with one or two random edits."""
    changed = copy.deepcopy(document)
    for _ in range(chance.randint(1, 2)):
        match chance.randrange(8):
            case 0:
                opens = chance.choice(["10:00", "12:00", "18:00"])
                changed["hours"]["weekly"][0] |= {"open": opens, "close": chance.choice(["20:00", "23:00"])}
            case 1:
                day = DAY + timedelta(days=chance.randrange(3))
                changed["hours"]["exceptions"] = [{"date": str(day), "closed": True}]
            case 2:
                chance.choice(changed["resources"])["seats_max"] = chance.randint(1, 6)
            case 3:
                chance.choice(changed["resources"])["active"] = False
            case 4:
                changed["policy"]["duration_minutes_min"] = chance.choice([50, 60, 75])
            case 5:
                changed["policy"]["duration_step_minutes"] = chance.choice([30, 60])
            case 6:
                changed["policy"]["slot_step_minutes"] = chance.choice([15, 30, 45, 60])
            case _:
                changed["policy"] |= {"duration_minutes_max": 60, "default_duration_minutes": 60}
    return changed


@pytest.mark.parametrize("seed", range(6))
async def test_listed_is_what_would_be_refused(open_house: Callable[..., Any], seed: int) -> None:
    """Each booking is asked for again at a venue that has the new rules from the beginning."""
    chance = random.Random(seed)
    house: House = await open_house()
    visits = [await a_visit(house, chance, number) for number in range(8)]
    document = a_change(chance, house.document)
    foreseen = await replaced(house, document, dry_run=True)
    real = await replaced(house, document)
    assert foreseen == {**{name: real[name] for name in foreseen.keys() - {"problems"}}, "problems": []}
    reasons = {each["id"]: each["reason"] for each in real["bookings_that_no_longer_fit"]}

    twin = await open_house(**{name: each for name, each in document.items() if name != "slug"})
    slugs = {id_: slug for slug, id_ in house.resources.items()}
    for visit in visits:
        again = await twin.book(
            start=visit["start"],
            end=visit["end"],
            party_size=visit["party_size"],
            resource_ids=twin.ids(*(slugs[each] for each in visit["resource_ids"])),
        )
        assert (visit["id"] in reasons) is (again.status_code != 201), (visit, reasons, again.text)
        if again.status_code == 201:
            await move(twin, again.json(), "CANCELLED")
        elif again.json()["code"] != "INVALID_REQUEST":  # its place is out of use, or it is too long
            assert again.json()["code"] in codes_of(reasons[visit["id"]])


def codes_of(reason: str) -> set[str]:
    """Of several reasons a booking and a refusal may name another one first."""
    return {reason, "OUTSIDE_OPENING_HOURS", "PARTY_TOO_LARGE", "OFF_SLOT_STEP"}


async def a_visit(house: House, chance: random.Random, number: int) -> Json:
    """A booking on its own day, or on its own place."""
    place, clock = chance.choice([("t2", "t3"), ("l1", "s1")])[number % 2], chance.randint(10, 20)
    return await house.booked(
        start=at(f"{clock}:{chance.choice([0, 15, 30, 45]):02}", days=number // 2),
        duration_minutes=chance.choice([45, 60, 90]),
        party_size=chance.randint(1, 4),
        resource_ids=house.ids(place),
    )
