"""PUT /bookings/{id}: all is checked anew, and what is refused changes nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.conftest import House

from .asking import DAY, at, cancel, change, claims, history, instant, move, read, refused


async def test_another_time(house: House, owner: asyncpg.Connection) -> None:
    t1 = house.ids("t1")
    booking = await house.booked(start=at("18:00"), resource_ids=t1)
    response = await change(house, booking, start=at("19:00"))
    assert response.status_code == 200, response.text
    after = response.json()
    assert response.headers["etag"] == '"2"'
    assert (after["start"], after["end"], after["version"]) == (at("19:00"), at("20:30"), 2)
    assert (after["booking_time"], after["end_time"]) == ("19:00", "20:30")
    assert await claims(owner, booking) == [(t1[0], 1, instant("19:00"), instant("20:30"))]
    assert await read(house, booking) == after
    assert (await house.book(start=at("17:30"), resource_ids=t1)).status_code == 201
    last = (await history(house, booking))[-1]
    assert (last["from_status"], last["to_status"], last["action"]) == ("RESERVED", "RESERVED", "update")
    assert {"start_at", "end_at"} <= set(last["metadata"]["changed"])


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ({"end": at("19:00")}, "18:00", "19:00"),
        ({"duration_minutes": 30}, "18:00", "18:30"),
        ({"start": at("18:30")}, "18:30", "20:00"),
        ({"start": at("17:00"), "end": at("21:00")}, "17:00", "21:00"),
        ({"booking_date": DAY.isoformat(), "booking_time": "12:15"}, "12:15", "13:45"),
        ({"date": DAY.isoformat(), "slot_id": "late"}, "20:37", "22:00"),
    ],
)
async def test_every_way_to_say_a_time(house: House, asked: dict[str, Any], start: str, end: str) -> None:
    slots = [{"id": "late", "name": "Late", "start": "20:37", "minutes": 83}]
    await house.replace({**house.document, "slots": slots})
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    after = (await change(house, booking, **asked)).json()
    assert (after["start"], after["end"]) == (at(start), at(end))
    assert after["slot_id"] == asked.get("slot_id")


async def test_its_own_claims_are_no_obstacle(house: House) -> None:
    s1 = house.ids("s1")
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    assert (await change(house, booking, start=at("18:15"))).status_code == 200
    full = [await house.booked(start=at("18:00"), resource_ids=s1) for _ in range(10)]
    assert (await change(house, full[3], start=at("18:15"))).status_code == 200


async def test_other_resources_and_a_larger_party(house: House, owner: asyncpg.Connection) -> None:
    booking = await house.booked(start=at("18:00"), party_size=2, resource_ids=house.ids("t1"))
    body = refused(await change(house, booking, party_size=3), 400, "PARTY_TOO_LARGE")
    assert body["seats_max"] == 2
    after = (await change(house, booking, party_size=6, resource_ids=house.ids("t2", "t3"))).json()
    assert (after["party_size"], after["resource_ids"]) == (6, house.ids("t2", "t3"))
    assert sorted(claim[0] for claim in await claims(owner, booking)) == sorted(house.ids("t2", "t3"))
    smaller = (await change(house, after, party_size=5)).json()
    assert (smaller["party_size"], smaller["resource_ids"]) == (5, house.ids("t2", "t3"))
    anywhere = (await change(house, smaller, party_size=2, preferences={"kinds": ["table"]})).json()
    assert anywhere["resource_ids"] == house.ids("t1")


async def test_what_is_closed_then_is_not_chosen(house: House) -> None:
    own = {
        "weekly": [{"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": "12:00", "close": "14:00"}]
    }
    resources = [
        {**each, **({"hours": own} if each["slug"] == "t1" else {})} for each in house.document["resources"]
    ]
    await house.replace({**house.document, "resources": resources})
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("l1"))
    after = (await change(house, booking, preferences={"zones": ["window"]})).json()
    assert after["resource_ids"] == house.ids("t2")


async def test_guest_data_alone_asks_no_rule(house: House) -> None:
    booking = await house.booked(start=at("18:00"), guest_name="Gina", resource_ids=house.ids("t1"))
    await house.change_policy(slot_step_minutes=1440, min_notice_minutes=365 * 1440, pacing_covers_max=1)
    asked = {
        "guest_name": "Georgina",
        "guest_email": "g@example.org",
        "metadata": {"a": 1},
        "source": "phone",
    }
    after = (await change(house, booking, **asked)).json()
    assert after == {**booking, **asked, "version": 2, "updated_at": after["updated_at"]}
    emptied = (await change(house, after, guest_name=None)).json()
    assert emptied["guest_name"] is None
    assert emptied["guest_email"] == "g@example.org"


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"start": at("09:00")}, 400, "OUTSIDE_OPENING_HOURS"),
        ({"end": at("23:30")}, 400, "OUTSIDE_OPENING_HOURS"),
        ({"start": at("18:10")}, 400, "OFF_SLOT_STEP"),
        ({"start": "2020-01-01T12:00:00Z"}, 400, "TOO_SOON"),
        ({"start": at("18:00", days=700)}, 400, "TOO_FAR_AHEAD"),
        ({"party_size": 99}, 400, "PARTY_TOO_LARGE"),
        ({"party_size": 7, "preferences": {"kinds": ["lane"]}}, 400, "PACING_EXCEEDED"),
        ({"start": at("20:00")}, 409, "TABLE_NOT_AVAILABLE"),
        ({"duration_minutes": 150}, 409, "TABLE_NOT_AVAILABLE"),
        ({"resource_ids": ["0190a0a0-0000-7000-8000-000000000000"]}, 400, "INVALID_REQUEST"),
        ({"end": at("17:00")}, 400, "INVALID_REQUEST"),
        ({"duration_minutes": 90 * 1440}, 400, "INVALID_REQUEST"),
    ],
)
async def test_refused_it_keeps_what_it_had(
    house: House, owner: asyncpg.Connection, asked: dict[str, Any], status: int, code: str
) -> None:
    t1 = house.ids("t1")
    await house.change_policy(pacing_covers_max=6)
    booking = await house.booked(start=at("18:00"), resource_ids=t1)
    await house.booked(start=at("20:00"), resource_ids=t1)
    before = await claims(owner, booking)
    refused(await change(house, booking, **asked, guest_name="Other"), status, code)
    assert await claims(owner, booking) == before
    assert await read(house, booking) == booking
    assert len(await history(house, booking)) == 1


async def test_a_conflict_of_a_change_helps_as_well(house: House) -> None:
    t1 = house.ids("t1")
    booking = await house.booked(start=at("12:00"), resource_ids=t1)
    await house.booked(start=at("18:00"), resource_ids=t1)
    body = refused(await change(house, booking, start=at("18:00")), 409, "TABLE_NOT_AVAILABLE")
    assert body["conflicts"][0]["start"] == at("18:00")
    best = body["suggested_slots"][0]
    moved = await change(
        house, booking, start=best["start"], end=best["end"], resource_ids=best["resource_ids"]
    )
    assert moved.status_code == 200, moved.text


async def test_a_booking_that_ended_is_not_changed(house: House) -> None:
    booking = (await cancel(house, await house.booked(start=at("18:00")))).json()
    body = refused(await change(house, booking, guest_name="x"), 400, "INVALID_TRANSITION")
    assert body["allowed"] == []


async def test_a_guest_changes_their_own_and_gives_it_to_nobody(house: House) -> None:
    booking = await house.booked(house.gina, start=at("18:00"))
    assert (await change(house, booking, house.gina, guest_name="Gina")).status_code == 200
    booking = await read(house, booking)
    refused(await change(house, booking, house.gina, guest_id="hugo"), 403, "FORBIDDEN")
    refused(await change(house, booking, house.gina, internal_notes="x"), 403, "FORBIDDEN")
    hugo = house.headers("guest", subject="hugo")
    refused(await change(house, booking, hugo, guest_name="Hugo"), 404, "NOT_FOUND")
    given = (await change(house, booking, guest_id="hugo")).json()
    assert given["guest_id"] == "hugo"


async def test_two_who_swap_never_double_book(house: House, owner: asyncpg.Connection) -> None:
    """Many move into the same free table at once: one gets it."""
    bookings = [await house.booked(start=at("18:00"), resource_ids=house.ids("s1")) for _ in range(8)]
    t1 = house.ids("t1")
    answers = await asyncio.gather(*(change(house, each, resource_ids=t1) for each in bookings))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    assert await owner.fetchval("SELECT count(*) FROM claim WHERE resource_id = $1", t1[0]) == 1
    stayed = await owner.fetchval("SELECT count(*) FROM claim WHERE resource_id = $1", house.resources["s1"])
    assert stayed == 7


async def test_what_does_not_occupy_takes_nothing_when_it_moves(
    house: House, owner: asyncpg.Connection
) -> None:
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    booking = (await move(house, booking, "CONFIRMED")).json()
    booking = (await move(house, booking, "MANUAL_REVIEW")).json()
    after = (await change(house, booking, start=at("19:00"))).json()
    assert after["start"] == at("19:00")
    assert await claims(owner, booking) == []


async def test_new_rules_count_for_changes_wherever_they_were_made(
    house: House, owner: asyncpg.Connection
) -> None:
    """Another process changed the venue: this one's snapshot of it is old, and must not decide."""
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    await owner.execute(
        """UPDATE venue SET policy = policy || '{"slot_step_minutes": 120}', rules_version = rules_version + 1
            WHERE id = $1""",
        house.venue_id,
    )
    refused(await change(house, booking, start=at("19:00")), 400, "OFF_SLOT_STEP")
    refused(await house.book(start=at("19:00")), 400, "OFF_SLOT_STEP")
