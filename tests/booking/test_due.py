"""What time does: holds and requests expire, guests stay away, visits end. Under a virtual clock."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.booking import due
from holdfast.booking.move import Move
from holdfast.booking.move import move as move_verb
from holdfast.booking.states import Status
from holdfast.claim import store
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import lock_key
from holdfast.kernel.ids import new_id
from holdfast.place.places import Places
from tests.conftest import House

from .asking import at, cancel, claims, history, instant, move, read, refused, tenant_id, tick

SECOND = timedelta(seconds=1)


def expiry(booking: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(booking["expires_at"])


@pytest.mark.parametrize(
    ("lifecycle", "hold", "after", "reason"),
    [
        ("instant", True, timedelta(seconds=77), "The hold was not converted in time."),
        ("deposit", False, timedelta(minutes=11), "It was not paid for in time."),
        ("approval", False, timedelta(hours=5), "Nobody approved it in time."),
    ],
)
async def test_what_waits_too_long_expires(
    house: House,
    owner: asyncpg.Connection,
    db: Database,
    lifecycle: str,
    hold: bool,
    after: timedelta,
    reason: str,
) -> None:
    await house.change_policy(
        lifecycle=lifecycle, hold_ttl_seconds=77, payment_deadline_minutes=11, approval_ttl_hours=5
    )
    tenant = await tenant_id(owner, house)
    booking = await house.booked(start=at("18:00"), hold=hold)
    assert expiry(booking) - datetime.fromisoformat(booking["created_at"]) == after
    assert await tick(db, tenant, due.expire, now=expiry(booking) - SECOND) == 0
    assert (await read(house, booking))["status"] == booking["status"]
    assert await tick(db, tenant, due.expire, now=expiry(booking)) == 1
    ended = await read(house, booking)
    assert (ended["status"], ended["version"]) == ("EXPIRED", 2)
    assert await claims(owner, booking) == []
    last = (await history(house, booking))[-1]
    assert (last["from_status"], last["to_status"], last["action"]) == (
        booking["status"],
        "EXPIRED",
        "expire",
    )
    assert (last["reason"], last["actor"]) == (reason, "system")
    # Safe to run again.
    assert await tick(db, tenant, due.expire, now=expiry(booking) + SECOND) == 0
    assert len(await history(house, booking)) == 2


@pytest.mark.parametrize("confirmed", [False, True])
async def test_who_does_not_come_is_a_no_show(
    house: House, owner: asyncpg.Connection, db: Database, confirmed: bool
) -> None:
    await house.change_policy(no_show_grace_minutes=20)
    tenant = await tenant_id(owner, house)
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    if confirmed:
        booking = (await move(house, booking, "CONFIRMED")).json()
    assert await tick(db, tenant, due.no_show, now=instant("18:20") - SECOND) == 0
    assert await tick(db, tenant, due.no_show, now=instant("18:20")) == 1
    assert (await read(house, booking))["status"] == "NO_SHOW"
    assert await claims(owner, booking) == []
    assert await tick(db, tenant, due.no_show, now=instant("19:00")) == 0
    assert (await house.book(start=at("18:00"), resource_ids=house.ids("t1"))).status_code == 201


async def test_who_came_is_no_no_show_and_is_completed_at_the_end(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    tenant = await tenant_id(owner, house)
    booking = await house.booked(start=at("18:00"), end=at("19:00"))
    booking = (await move(house, booking, "CHECKED_IN")).json()
    assert await tick(db, tenant, due.no_show, now=instant("22:00")) == 0
    assert await tick(db, tenant, due.complete, now=instant("19:00") - SECOND) == 0
    assert await tick(db, tenant, due.complete, now=instant("19:00")) == 1
    done = await read(house, booking)
    assert (done["status"], done["completed_at"]) == (
        "COMPLETED",
        instant("19:00").isoformat().replace("+00:00", "Z"),
    )
    assert await tick(db, tenant, due.complete, now=instant("20:00")) == 0


async def test_who_came_after_the_end_left_no_sooner(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    tenant = await tenant_id(owner, house)
    booking = await house.booked(start=at("18:00"), end=at("19:00"))
    step = Move(booking_id=UUID(booking["id"]), to=Status.CHECKED_IN, expected_version=1)
    venue = await Places(db).venue(UUID(house.venue_id))
    locked = {"tenants": [tenant], "locks": [lock_key(venue.id)], "now": instant("19:10")}
    await db.call(SYSTEM, **locked).run(move_verb, step, venue=venue)
    assert await tick(db, tenant, due.complete, now=instant("19:20")) == 1
    assert (await read(house, booking))["completed_at"] == instant("19:10").isoformat().replace("+00:00", "Z")


async def test_a_policy_leaves_it_to_people(house: House, owner: asyncpg.Connection, db: Database) -> None:
    await house.change_policy(auto_complete=False, auto_no_show=False)
    tenant = await tenant_id(owner, house)
    await house.booked(start=at("18:00"))
    here = await house.booked(start=at("18:00"))
    await move(house, here, "CHECKED_IN")
    for verb in (due.no_show, due.complete, due.expire):
        assert await tick(db, tenant, verb, now=instant("18:00", days=9)) == 0


async def test_what_was_moved_is_due_at_its_new_time(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    tenant = await tenant_id(owner, house)
    booking = await house.booked(start=at("18:00"))
    body = {"expected_version": 1, "start": at("20:00")}
    await house.client.put(f"/bookings/{booking['id']}", json=body, headers=house.bob)
    assert await tick(db, tenant, due.no_show, now=instant("20:14")) == 0
    assert await tick(db, tenant, due.no_show, now=instant("20:15")) == 1


async def test_what_was_cancelled_is_never_due(house: House, owner: asyncpg.Connection, db: Database) -> None:
    tenant = await tenant_id(owner, house)
    await cancel(house, await house.booked(start=at("18:00")))
    for verb in (due.no_show, due.complete, due.expire):
        assert await tick(db, tenant, verb, now=instant("18:00", days=9)) == 0


async def test_batches_are_bounded_and_two_workers_share_them(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    tenant = await tenant_id(owner, house)
    s1 = house.ids("s1")
    bookings = [await house.booked(start=at("18:00"), resource_ids=s1, hold=True) for _ in range(10)]
    now = instant("12:00")
    assert await tick(db, tenant, due.expire, now=now, limit=4) == 4

    done = await asyncio.gather(*(tick(db, tenant, due.expire, now=now, limit=4) for _ in range(2)))
    assert sorted(done) == [2, 4]
    assert await tick(db, tenant, due.expire, now=now) == 0
    steps = await owner.fetchval(
        "SELECT count(*) FROM booking_history WHERE tenant_id = $1 AND to_status = 'EXPIRED'", tenant
    )
    told = await owner.fetchval(
        "SELECT count(*) FROM event WHERE tenant_id = $1 AND event_type = 'booking.expired'", tenant
    )
    assert (steps, told) == (len(bookings), len(bookings))


async def age(owner: asyncpg.Connection, booking: dict[str, Any]) -> None:
    """As if the hold were past its time, and no tick had run."""
    for table, key in (("booking", "id"), ("claim", "owner_id")):
        await owner.execute(
            f"UPDATE {table} SET expires_at = now() - interval '1 second' WHERE {key} = $1", booking["id"]
        )


async def test_a_hold_past_its_time_is_in_nobodys_way(house: House, owner: asyncpg.Connection) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("t1", "t2"), "party_size": 5}
    held = await house.booked(house.gina, **wanted, hold=True)
    refused(await house.book(**wanted), 409, "TABLE_NOT_AVAILABLE")
    await age(owner, held)
    # It overlaps one of the two alone, and only in part.
    booking = await house.booked(start=at("19:00"), resource_ids=house.ids("t2"))
    assert len(await claims(owner, booking)) == 1
    assert await claims(owner, held) == []
    assert (await read(house, held))["status"] == "EXPIRED"
    last = (await history(house, held))[-1]
    assert (last["actor"], last["action"]) == ("system", "expire")


async def test_nor_in_that_of_a_change(house: House, owner: asyncpg.Connection) -> None:
    held = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"), hold=True)
    mine = await house.booked(house.gina, start=at("12:00"), resource_ids=house.ids("t1"))
    await age(owner, held)
    body = {"expected_version": 1, "start": at("18:30")}
    moved = await house.client.put(f"/bookings/{mine['id']}", json=body, headers=house.gina)
    assert moved.status_code == 200, moved.text
    # Time did it, and not the guest who came next.
    assert (await history(house, held))[-1]["actor"] == "system"


async def test_with_many_units_only_the_expired_make_room(house: House, owner: asyncpg.Connection) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("s1")}
    bookings = [await house.booked(**wanted, hold=n in (3, 7)) for n in range(10)]
    refused(await house.book(**wanted), 409, "SECTION_NOT_AVAILABLE")
    await age(owner, bookings[3])
    await age(owner, bookings[7])
    first = await house.booked(**wanted)
    assert sorted([(await read(house, bookings[n]))["status"] for n in (3, 7)]) == ["EXPIRED", "HELD"]
    second = await house.booked(**wanted)
    units = [(await claims(owner, each))[0][1] for each in (first, second)]
    assert sorted(units) == [4, 8]
    refused(await house.book(**wanted), 409, "SECTION_NOT_AVAILABLE")


async def test_a_hold_past_its_time_is_no_longer_converted(house: House, owner: asyncpg.Connection) -> None:
    held = await house.booked(start=at("18:00"), hold=True)
    await age(owner, held)
    body = refused(await move(house, held, "RESERVED"), 400, "INVALID_TRANSITION")
    assert (body["from"], body["allowed"]) == ("EXPIRED", [])


async def test_a_hold_past_its_time_counts_in_no_quota_and_no_pacing(
    house: House, owner: asyncpg.Connection
) -> None:
    await house.change_policy(holds_per_guest_max=1, pacing_covers_max=3)
    wanted = {"start": at("18:00"), "resource_ids": house.ids("s1"), "hold": True}
    held = await house.booked(house.gina, **wanted)
    refused(await house.book(house.gina, **{**wanted, "start": at("20:00")}), 429, "TOO_MANY_HOLDS")
    await age(owner, held)
    await house.booked(house.gina, **wanted)


async def test_blocks_that_are_over_leave_the_ledger(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    tenant, block = await tenant_id(owner, house), new_id()
    for day in (0, 1):
        await owner.execute(
            """INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id, state, changed_by)
               VALUES ($1, $2, 1, tstzrange($3, $4), 'block', $5, 'blocked', 'staff:alice')""",
            tenant,
            house.resources["t1"],
            instant("18:00", days=day),
            instant("19:00", days=day),
            block,
        )
    call = db.call(SYSTEM, tenants=[tenant], now=instant("12:00", days=3))
    assert await call.run(store.archive, before=instant("19:00"), limit=10) == 0
    assert await call.run(store.archive, before=instant("19:00") + SECOND, limit=10) == 1
    assert await call.run(store.archive, before=instant("19:00") + SECOND, limit=10) == 0
    kept = await owner.fetch("SELECT owner_id, lower(during) FROM claim_archive WHERE tenant_id = $1", tenant)
    assert [(str(row[0]), row[1]) for row in kept] == [(str(block), instant("18:00"))]
    assert len(await claims(owner, {"id": block})) == 1


async def test_whose_bookings_are_due_is_told_the_longest_overdue_first(
    open_house: Any, owner: asyncpg.Connection, db: Database
) -> None:
    late, early, never = [await open_house() for _ in range(3)]
    for house, start in ((late, "19:00"), (early, "18:00"), (early, "20:00"), (never, "21:15")):
        await house.booked(start=at(start))
    ids = [await tenant_id(owner, house) for house in (late, early, never)]
    call = db.call(SYSTEM, tenants=ids, now=instant("21:00"))
    assert await call.run(due.tenants_with(due.NO_SHOW), 10) == [ids[1], ids[0]]
    assert await call.run(due.tenants_with(due.NO_SHOW), 1) == [ids[1]]
    assert await call.run(due.tenants_with(due.COMPLETE), 10) == []
