"""POST /bookings: it books, it holds, and it refuses what it can't read."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.conftest import House

from .asking import DAY, at, claims, instant, read, refused

FIELDS = [
    "id", "booking_reference", "idempotency_key", "tenant", "venue_id", "venue_name", "venue_kind",
    "resource_ids", "resources", "chosen_by", "slot_id", "start", "end", "booking_date",
    "booking_time", "end_time", "arrival", "departure", "nights",
    "duration_minutes", "party_size", "guest_id", "guest_name", "guest_email", "guest_phone", "status",
    "version", "base_price", "tax_amount", "discount_amount", "total_price", "currency", "price_source",
    "tax_included", "price_lines", "minimum_spend", "deposit_amount", "extras", "discount_code", "items",
    "payment_intent_id", "payment_status", "inventory_reservation_id", "special_requests", "internal_notes",
    "source", "metadata", "cancellation_reason", "cancelled_by", "created_at", "updated_at", "confirmed_at",
    "cancelled_at", "checked_in_at", "completed_at", "expires_at", "shared_facility_owner_tenant_id",
    "read_only", "overrides", "answers", "group",
]  # fmt: skip


async def test_a_booking_has_all_its_fields(house: House, owner: asyncpg.Connection) -> None:
    asked = {
        "start": at("18:00"),
        "end": at("20:00"),
        "party_size": 2,
        "resource_ids": house.ids("t1"),
        "guest_id": "gina",
        "guest_name": "Gina G",
        "guest_email": "gina@example.org",
        "guest_phone": "+46 8 123",
        "special_requests": "A quiet corner",
        "internal_notes": "Knows the owner",
        "source": "phone",
        "metadata": {"colour": "blue", "n": [1, 2.5, None]},
    }
    response = await house.book(**asked)
    assert response.status_code == 201
    assert response.headers["etag"] == '"1"'
    assert response.headers["x-request-id"]
    booking = response.json()
    assert sorted(booking) == sorted(FIELDS)
    for name in asked:
        assert booking[name] == asked[name], name
    assert UUID(booking["id"]).version == 7
    assert booking["tenant"] == house.tenant
    assert booking["venue_id"] == house.venue_id
    assert booking["venue_name"] == "Osteria Nord"
    assert booking["booking_date"] == DAY.isoformat()
    assert (booking["booking_time"], booking["end_time"]) == ("18:00", "20:00")
    assert booking["duration_minutes"] == 120
    assert (booking["status"], booking["version"]) == ("RESERVED", 1)
    assert booking["expires_at"] is None
    assert booking["read_only"] is False
    pattern = rf"BR-{DAY:%Y%m%d}-[2-9A-HJKMNP-TV-Z]{{6}}"
    assert re.fullmatch(pattern, booking["booking_reference"])
    assert await read(house, booking) == booking
    assert await claims(owner, booking) == [(house.resources["t1"], 1, instant("18:00"), instant("20:00"))]


async def test_the_three_ways_to_say_when_are_the_same(house: House) -> None:
    document = {
        **house.document,
        "slots": [{"id": "late", "name": "Late", "start": "20:30", "minutes": 90}],
    }
    await house.replace(document)
    day = DAY.isoformat()
    ways: list[dict[str, Any]] = [
        {"start": at("20:30")},
        {"booking_date": day, "booking_time": "20:30"},
        {"date": day, "slot_id": "late"},
    ]
    for way, table in zip(ways, ("t1", "t2", "t3"), strict=True):
        booking = await house.booked(**way, resource_ids=house.ids(table))
        assert (booking["start"], booking["end"]) == (at("20:30"), at("22:00"))
        assert booking["slot_id"] == way.get("slot_id")


async def test_a_slot_off_the_step_is_bookable(house: House) -> None:
    slots = [{"id": "odd", "name": "Odd", "start": "20:37", "minutes": 100}]
    await house.replace({**house.document, "slots": slots})
    booking = await house.booked(date=DAY.isoformat(), slot_id="odd", resource_ids=house.ids("t1"))
    assert (booking["booking_time"], booking["duration_minutes"]) == ("20:37", 100)
    body = refused(await house.book(date=DAY.isoformat(), slot_id="even"), 400, "INVALID_REQUEST")
    assert body["errors"][0]["field"] == "slot_id"
    assert "odd" in body["errors"][0]["problem"]


async def test_without_an_end_the_policy_says_how_long(house: House) -> None:
    await house.change_policy(durations=[{"party_size_max": 2, "minutes": 60}], default_duration_minutes=135)
    assert (await house.booked(start=at("12:00"), party_size=2))["duration_minutes"] == 60
    assert (await house.booked(start=at("12:00"), party_size=4))["duration_minutes"] == 135


async def test_the_best_fit_is_taken_when_nothing_is_named(house: House) -> None:
    """Fewest resources, then fewest seats wasted; tables that combine come when no single one will do."""
    assert (await house.booked(start=at("18:00"), party_size=2))["resource_ids"] == house.ids("t1")
    assert (await house.booked(start=at("18:00"), party_size=2))["resource_ids"] == house.ids("t2")
    only = {"kinds": ["table"]}
    booking = await house.booked(start=at("12:00"), party_size=6, preferences=only)
    assert sorted(booking["resource_ids"]) == sorted(house.ids("t1", "t2"))


async def test_preferences_narrow_the_choice(house: House) -> None:
    hall = await house.booked(start=at("18:00"), preferences={"zones": ["hall"]})
    assert hall["resource_ids"] == house.ids("t3")
    lane = await house.booked(start=at("18:00"), preferences={"kinds": ["lane"]})
    assert lane["resource_ids"] == house.ids("l1")
    body = refused(
        await house.book(start=at("18:00"), preferences={"kinds": ["room"]}), 400, "INVALID_REQUEST"
    )
    assert body["errors"][0]["field"] == "preferences"


async def test_spans_that_touch_do_not_collide(house: House) -> None:
    t1 = house.ids("t1")
    await house.booked(start=at("18:00"), end=at("19:00"), resource_ids=t1)
    await house.booked(start=at("19:00"), end=at("20:00"), resource_ids=t1)
    await house.booked(start=at("17:00"), end=at("18:00"), resource_ids=t1)
    refused(await house.book(start=at("18:45"), end=at("19:15"), resource_ids=t1), 409, "TABLE_NOT_AVAILABLE")


async def test_buffers_are_claimed_too(house: House, owner: asyncpg.Connection) -> None:
    await house.change_policy(buffer_before_minutes=10, buffer_after_minutes=20)
    t1 = house.ids("t1")
    first = await house.booked(start=at("18:00"), end=at("19:00"), resource_ids=t1)
    assert await claims(owner, first) == [(t1[0], 1, instant("17:50"), instant("19:20"))]
    refused(await house.book(start=at("19:15"), end=at("20:15"), resource_ids=t1), 409, "TABLE_NOT_AVAILABLE")
    await house.booked(start=at("19:30"), end=at("20:30"), resource_ids=t1)


async def test_one_winner_of_many_at_once(house: House, owner: asyncpg.Connection) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("t1")}
    answers = await asyncio.gather(*(house.book(**wanted) for _ in range(40)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 39
    held = await owner.fetchval("SELECT count(*) FROM claim WHERE resource_id = $1", house.resources["t1"])
    assert held == 1


async def test_a_conflict_says_what_stands_in_the_way(house: House) -> None:
    first = await house.booked(start=at("18:00"), resource_ids=house.ids("l1"), guest_name="Secret Person")
    asked = {"start": at("18:30"), "resource_ids": house.ids("l1")}
    seen = refused(await house.book(**asked), 409, "LANE_NOT_AVAILABLE")
    assert seen["can_join_waitlist"] is True
    assert seen["conflicts"] == [
        {
            "resource_id": house.resources["l1"],
            "resource_name": "L1",
            "start": at("18:00"),
            "end": at("19:30"),
            "owner_kind": "booking",
            "owner_id": first["id"],
        }
    ]
    for who in (house.gina, {}):
        less = refused(await house.book(who, **asked), 409, "LANE_NOT_AVAILABLE")
        assert set(less["conflicts"][0]) == {"resource_id", "resource_name", "start", "end"}
        assert first["id"] not in str(less)
        assert "Secret" not in str(less)


@pytest.mark.parametrize(
    ("slug", "code"),
    [("t1", "TABLE_NOT_AVAILABLE"), ("l1", "LANE_NOT_AVAILABLE"), ("r1", "ROOM_NOT_AVAILABLE")],
)
async def test_the_code_names_the_kind_and_the_type_does_not(house: House, slug: str, code: str) -> None:
    room = {"slug": "r1", "name": "R1", "kind": "room", "seats_max": 4}
    await house.replace({**house.document, "resources": [*house.document["resources"], room]})
    wanted = {"start": at("18:00"), "resource_ids": house.ids(slug)}
    await house.booked(**wanted)
    assert refused(await house.book(**wanted), 409, code)["type"] == "urn:holdfast:problem:not-available"


async def test_guests_book_for_themselves(house: House) -> None:
    booking = await house.booked(house.gina, start=at("18:00"))
    assert booking["guest_id"] == "gina"
    assert "internal_notes" not in booking
    refused(await house.book(house.gina, start=at("18:00"), guest_id="hugo"), 403, "FORBIDDEN")
    refused(await house.book(house.gina, start=at("18:00"), internal_notes="x"), 403, "FORBIDDEN")
    refused(await house.book({}, start=at("18:00"), guest_id="gina"), 403, "FORBIDDEN")
    nobody = await house.booked({}, start=at("18:00"), guest_name="No Body")
    assert nobody["guest_id"] is None


async def test_who_is_no_staff_there_books_for_themselves_whatever_else_they_are(house: House) -> None:
    officer = house.headers("security_officer", subject="olga")
    refused(await house.book(officer, start=at("18:00"), guest_id="gina"), 403, "FORBIDDEN")
    mine = await house.booked(officer, start=at("18:00"))
    assert mine["guest_id"] == "olga"
    assert (await read(house, mine, officer))["id"] == mine["id"]


async def test_staff_of_one_venue_do_not_book_at_another(house: House) -> None:
    elsewhere = house.headers("staff", subject="bo", venues=["0190a0a0-0000-7000-8000-000000000000"])
    here = house.headers("staff", subject="bo", venues=[house.venue_id])
    refused(await house.book(elsewhere, start=at("18:00")), 404, "NOT_FOUND")
    await house.booked(here, start=at("18:00"))


@pytest.mark.parametrize(
    ("lifecycle", "status"),
    [
        ("instant", "RESERVED"),
        ("deposit", "PENDING"),
        ("approval", "PENDING_APPROVAL"),
        ("assigned", "RESERVED"),
    ],
)
async def test_the_lifecycle_says_where_it_starts(house: House, lifecycle: str, status: str) -> None:
    await house.change_policy(lifecycle=lifecycle)
    booking = await house.booked(start=at("18:00"))
    assert booking["status"] == status
    assert (booking["expires_at"] is None) == (status == "RESERVED")
    held = await house.booked(start=at("18:00"), hold=True)
    assert held["status"] == "HELD"
    assert held["expires_at"] is not None


async def test_it_is_refused_at_a_venue_that_is_not_there(house: House) -> None:
    response = await house.book(venue_id="0190a0a0-0000-7000-8000-000000000000", start=at("18:00"))
    refused(response, 404, "NOT_FOUND")


async def test_a_resource_of_another_venue_or_out_of_use_is_refused(house: House) -> None:
    other = "0190a0a0-0000-7000-8000-000000000000"
    body = refused(await house.book(start=at("18:00"), resource_ids=[other]), 400, "INVALID_REQUEST")
    assert body["errors"] == [
        {"field": "resource_ids", "value": other, "problem": "is not a resource of Osteria Nord"}
    ]
    resources = [{**each, "active": each["slug"] != "t1"} for each in house.document["resources"]]
    await house.replace({**house.document, "resources": resources})
    refused(await house.book(start=at("18:00"), resource_ids=house.ids("t1")), 400, "INVALID_REQUEST")
    assert (await house.booked(start=at("18:00")))["resource_ids"] == house.ids("t2")


async def test_a_change_of_the_rules_counts_from_the_next_booking_on(house: House) -> None:
    await house.booked(start=at("18:10").replace(":10:", ":15:"))
    await house.change_policy(slot_step_minutes=30)
    refused(await house.book(start=at("18:15")), 400, "OFF_SLOT_STEP")
