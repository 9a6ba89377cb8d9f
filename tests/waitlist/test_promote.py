"""A place that becomes free is offered to the guest who has waited longest among those it fits, and held for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from holdfast.booking import due
from holdfast.kernel.db.database import Database
from tests.booking.asking import at, cancel, change, claims, history, instant, read, refused, tenant_id, tick
from tests.conftest import House

from .asking import Json, answer, around, entry_of, events_of, joined, promoted

SECOND = timedelta(seconds=1)


@pytest.fixture
async def one_table(open_house: Any) -> House:
    """A venue with one table for two to four."""
    return await open_house(resources=[{"slug": "t1", "name": "T1", "seats_min": 2, "seats_max": 4}])


async def status_of(house: House, entry: Json) -> str:
    return (await entry_of(house, entry))["status"]


async def test_nobody_gets_what_is_not_free(db: Database, one_table: House) -> None:
    await one_table.booked(start=at("18:00"), end=at("21:30"), party_size=2)
    entry = await joined(one_table)
    assert await promoted(db, one_table) == 0
    assert await status_of(one_table, entry) == "WAITING"


async def test_what_comes_free_is_held_for_who_waited_longest(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    house = one_table
    booking = await house.booked(start=at("18:00"), end=at("21:30"), party_size=2)
    wanted: Json = {"earliest": at("18:00"), "latest": at("19:15")}
    first, second = (
        await joined(house, house.gina, guest_name="Gina", **wanted),
        await joined(house, **wanted),
    )
    await cancel(house, booking)
    assert await promoted(db, house, around=around("18:00", "21:30")) == 1
    entry = await entry_of(house, first, house.gina)
    assert (entry["status"], entry["position"], entry["version"]) == ("OFFERED", None, 2)
    held = await read(house, {"id": entry["offer"]["booking_id"]}, house.gina)
    assert entry["offer"] == {
        "booking_id": held["id"],
        "expires_at": held["expires_at"],
        "start": at("18:00"),
        "end": at("19:30"),
        "resource_ids": house.ids("t1"),
    }
    assert entry["booking_id"] == held["id"]
    assert (held["status"], held["source"], held["guest_id"], held["guest_name"]) == (
        "HELD",
        "waitlist",
        "gina",
        "Gina",
    )
    waited = datetime.fromisoformat(held["expires_at"]) - datetime.fromisoformat(held["created_at"])
    assert waited == timedelta(seconds=900)
    assert (await entry_of(house, second))["position"] == 1
    assert len(await claims(owner, held)) == 1
    refused(await house.book(start=at("18:30"), resource_ids=house.ids("t1")), 409, "TABLE_NOT_AVAILABLE")
    assert (await history(house, held))[0]["actor"] == "system"


async def test_it_is_safe_to_run_again(db: Database, one_table: House, owner: asyncpg.Connection) -> None:
    entry = await joined(one_table)
    assert [await promoted(db, one_table) for _ in range(3)] == [1, 0, 0]
    assert [row["event_type"] for row in await events_of(owner, entry)] == [
        "waitlist.joined",
        "waitlist.offered",
    ]
    booked = "SELECT count(*) FROM booking WHERE venue_id = $1"
    assert await owner.fetchval(booked, one_table.venue_id) == 1


async def test_who_it_does_not_fit_is_passed_over_and_keeps_the_place_in_the_queue(
    db: Database, one_table: House
) -> None:
    house = one_table
    booking = await house.booked(start=at("18:00"), end=at("19:30"), party_size=2)
    too_long = await joined(house, duration_minutes=300, earliest=at("18:00"), latest=at("18:30"))
    elsewhen = await joined(house, earliest=at("20:00"), latest=at("20:00"), duration_minutes=60)
    fits = await joined(house, earliest=at("18:00"), latest=at("18:30"))
    later = await joined(house, earliest=at("18:00"), latest=at("18:30"))
    await house.booked(start=at("19:30"), end=at("23:00"), party_size=2)
    await cancel(house, booking)
    assert await promoted(db, house) == 1
    seen = [await entry_of(house, each) for each in (too_long, elsewhen, fits, later)]
    assert [each["status"] for each in seen] == ["WAITING", "WAITING", "OFFERED", "WAITING"]
    assert [each["position"] for each in seen] == [1, 2, None, 3]


async def test_one_evening_may_do_for_several(db: Database, one_table: House) -> None:
    house = one_table
    entries = [
        await joined(house, duration_minutes=60, earliest=at("18:00"), latest=at("20:00")) for _ in range(4)
    ]
    assert await promoted(db, house) == 3
    starts = [(await entry_of(house, each))["offer"] for each in entries]
    assert [each and each["start"] for each in starts] == [at("18:00"), at("19:00"), at("20:00"), None]


async def test_each_gets_what_was_wanted(db: Database, house: House) -> None:
    named = await joined(house, resource_ids=house.ids("t2", "t3"), party_size=6)
    lane = await joined(house, preferences={"kinds": ["lane"]}, party_size=3)
    hall = await joined(house, preferences={"zones": ["hall"]}, earliest=at("20:00"), latest=at("20:00"))
    anything = await joined(house)
    assert await promoted(db, house) == 4
    offers = [(await entry_of(house, each))["offer"] for each in (named, lane, hall, anything)]
    assert [each["resource_ids"] for each in offers] == [
        house.ids("t2", "t3"),
        house.ids("l1"),
        house.ids("t3"),
        house.ids("t1"),
    ]
    assert offers[2]["start"] == at("20:00")


async def test_a_unit_of_many_is_one_offer(db: Database, house: House) -> None:
    section = house.ids("s1")
    bookings = [
        await house.booked(start=at("18:00"), end=at("20:00"), resource_ids=section) for _ in range(10)
    ]
    wanted: Json = {"earliest": at("18:00"), "latest": at("18:00"), "resource_ids": section}
    entries = [await joined(house, **wanted) for _ in range(3)]
    assert await promoted(db, house) == 0
    await cancel(house, bookings[4])
    await cancel(house, bookings[7])
    assert await promoted(db, house) == 2
    assert [await status_of(house, each) for each in entries] == ["OFFERED", "OFFERED", "WAITING"]


async def test_the_rules_of_the_venue_hold_for_offers_too(db: Database, house: House) -> None:
    await house.change_policy(pacing_covers_max=3)
    wanted: Json = {"earliest": at("18:00"), "latest": at("18:00"), "preferences": {"kinds": ["section"]}}
    entries = [await joined(house, **wanted) for _ in range(2)]
    assert await promoted(db, house) == 1
    assert await promoted(db, house, now=instant("18:01") - timedelta(minutes=2)) == 1  # the first has lapsed
    assert [await status_of(house, each) for each in entries] == ["LAPSED", "OFFERED"]


async def test_notice_is_kept(db: Database, one_table: House) -> None:
    entry = await joined(one_table)
    await one_table.change_policy(min_notice_minutes=120)
    assert await promoted(db, one_table, now=instant("17:20")) == 1
    offer = (await entry_of(one_table, entry))["offer"]
    assert offer["start"] == at("19:30")


async def test_buffers_free_the_time_around_too(db: Database, open_house: Any) -> None:
    house = await open_house(
        policy={"slot_step_minutes": 15, "default_duration_minutes": 60, "buffer_after_minutes": 30},
        resources=[{"slug": "t1"}],
    )
    booking = await house.booked(start=at("18:00"), end=at("19:00"))
    entry = await joined(house, earliest=at("19:00"), latest=at("19:15"))
    assert await promoted(db, house) == 0
    await cancel(house, booking)
    assert await promoted(db, house, around=around("18:00", "19:00")) == 1
    assert (await entry_of(house, entry))["offer"]["start"] == at("19:00")


async def test_only_what_touches_the_freed_time_is_looked_for(db: Database, one_table: House) -> None:
    entry = await joined(one_table)
    assert await promoted(db, one_table, around=around("12:00", "13:00")) == 0
    assert await promoted(db, one_table, around=around("12:00", "18:30")) == 1
    assert (await entry_of(one_table, entry))["offer"]["start"] == at("18:00")


async def test_wide_windows_are_looked_through(db: Database, one_table: House) -> None:
    house = one_table
    for day in range(4):
        await house.booked(start=at("10:00", days=day), end=at("23:00", days=day), party_size=2)
    entry = await joined(house, earliest=at("10:00"), latest=at("20:00", days=30))
    other = await joined(house, earliest=at("10:00"), latest=at("20:00", days=3))
    offers = sum([await promoted(db, house) for _ in range(3)])
    assert offers == 1
    start = datetime.fromisoformat((await entry_of(house, entry))["offer"]["start"])
    assert start >= instant("10:00", days=4)
    assert await status_of(house, other) == "WAITING"


async def test_a_slot_of_that_length_is_a_start(db: Database, open_house: Any) -> None:
    house = await open_house(
        policy={"slot_step_minutes": 60},
        hours={
            "weekly": [
                {"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": "18:00", "close": "24:00"}
            ]
        },
        slots=[
            {
                "id": "late",
                "name": "Late",
                "days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"],
                "start": "20:30",
                "minutes": 150,
            }
        ],
        resources=[{"slug": "t1"}],
    )
    entry = await joined(house, earliest=at("20:15"), latest=at("20:45"), duration_minutes=150)
    assert await promoted(db, house) == 1
    assert (await entry_of(house, entry))["offer"]["start"] == at("20:30")


async def test_an_offer_that_lapses_goes_to_the_next(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    house = one_table
    await house.change_policy(offer_ttl_seconds=60)
    wanted: Json = {"earliest": at("18:00"), "latest": at("18:00")}
    first, second = await joined(house, **wanted), await joined(house, **wanted)
    assert await promoted(db, house) == 1
    expires = datetime.fromisoformat((await entry_of(house, first))["offer"]["expires_at"])
    assert await promoted(db, house, now=expires - SECOND) == 0
    # Whether or not a tick has expired the hold.
    assert await promoted(db, house, now=expires) == 1
    assert [await status_of(house, each) for each in (first, second)] == ["LAPSED", "OFFERED"]
    events = await events_of(owner, first)
    assert [row["event_type"] for row in events] == [
        "waitlist.joined",
        "waitlist.offered",
        "waitlist.lapsed",
    ]
    assert events[-1]["actor"] == "system"
    assert orjson.loads(events[-1]["payload"])["booking_id"] == (await entry_of(house, first))["booking_id"]
    refused(await answer(house, first, "accept"), 409, "OFFER_EXPIRED")


async def test_an_offer_stands_no_longer_than_until_the_visit(db: Database, one_table: House) -> None:
    house = one_table
    await house.change_policy(offer_ttl_seconds=900)
    entry = await joined(house, earliest=at("18:00"), latest=at("18:00"))
    assert await promoted(db, house, now=instant("17:50")) == 1
    assert datetime.fromisoformat((await entry_of(house, entry))["offer"]["expires_at"]) == instant("18:00")


async def test_a_swept_offer_lapses_too(db: Database, one_table: House, owner: asyncpg.Connection) -> None:
    house = one_table
    wanted: Json = {"earliest": at("18:00"), "latest": at("18:00")}
    first, second = await joined(house, **wanted), await joined(house, **wanted)
    await promoted(db, house)
    expires = datetime.fromisoformat((await entry_of(house, first))["offer"]["expires_at"])
    assert await tick(db, await tenant_id(owner, house), due.expire, now=expires) == 1
    assert await promoted(db, house, now=expires) == 1
    assert [await status_of(house, each) for each in (first, second)] == ["LAPSED", "OFFERED"]


@pytest.mark.parametrize(("to", "becomes"), [("RESERVED", "ACCEPTED"), ("CANCELLED", "DECLINED")])
async def test_an_answer_to_the_booking_itself_is_one_to_the_offer(
    db: Database, one_table: House, to: str, becomes: str
) -> None:
    house = one_table
    entry = await joined(house, house.gina)
    await promoted(db, house)
    body = {"to": to, "expected_version": 1}
    path = f"/bookings/{(await entry_of(house, entry))['booking_id']}/status"
    moved = await house.client.post(path, json=body, headers=house.gina)
    assert moved.status_code == 200, moved.text
    await promoted(db, house)
    assert await status_of(house, entry) == becomes


async def test_who_waits_for_what_is_past_waits_no_more(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    entry = await joined(one_table)
    assert await promoted(db, one_table, now=instant("20:00") + SECOND) == 0
    assert await status_of(one_table, entry) == "LAPSED"
    assert (await events_of(owner, entry))[-1]["event_type"] == "waitlist.lapsed"
    refused(await answer(one_table, entry, "accept"), 400, "INVALID_TRANSITION")


async def test_a_change_of_an_offer_is_shown(db: Database, one_table: House) -> None:
    entry = await joined(one_table)
    await promoted(db, one_table)
    held = await read(one_table, {"id": (await entry_of(one_table, entry))["booking_id"]})
    assert (await change(one_table, held, start=at("19:00"))).status_code == 200
    assert (await entry_of(one_table, entry))["offer"]["start"] == at("19:00")


async def test_offers_count_in_no_quota_of_holds(db: Database, house: House) -> None:
    await house.change_policy(holds_per_guest_max=1)
    await house.booked(house.gina, start=at("12:00"), hold=True)
    for hour in ("18:00", "19:00"):
        await joined(house, house.gina, earliest=at(hour), latest=at(hour))
    assert await promoted(db, house) == 2


async def test_what_no_longer_exists_is_offered_to_nobody(db: Database, house: House) -> None:
    entry = await joined(house, resource_ids=house.ids("l1"))
    resources = [each for each in house.document["resources"] if each["slug"] != "l1"]
    await house.replace({**house.document, "resources": resources})
    assert await promoted(db, house) == 0
    assert await status_of(house, entry) == "WAITING"


async def test_the_events_are_counted_on_the_venues_channel(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    await joined(one_table)
    await promoted(db, one_table)
    rows = await owner.fetch(
        "SELECT event_type, version FROM event WHERE venue_id = $1 AND channel = 'bookings' ORDER BY version",
        UUID(one_table.venue_id),
    )
    assert [row["event_type"] for row in rows] == ["waitlist.joined", "booking.created", "waitlist.offered"]
    assert [row["version"] for row in rows] == [1, 2, 3]
