"""The auditor: finds nothing at a healthy venue, however busy, and everything that was done to a channel."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from fastapi import FastAPI

from holdfast.booking import due
from holdfast.channel import announce as announcing
from holdfast.kernel.db.database import Database
from holdfast.live.auditor import Auditor, Mismatch, audit_channel
from holdfast.live.metrics import MISMATCHES
from holdfast.snapshot.take import SlotKey
from tests.booking.asking import DAY, at, cancel, change, instant, tenant_id, tick
from tests.booking.conftest import owner as owner
from tests.conftest import House
from tests.live.looking import SLOTS, block, look
from tests.processes import until

DAYS = {"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]}
Audit = Callable[[Callable[[], Awaitable[Any]]], Awaitable[list[Mismatch] | None]]


@pytest.fixture
def audit(app: FastAPI, house: House) -> Audit:
    """Audits the house's day while something happens there."""

    async def run(between: Callable[[], Awaitable[Any]], *, at: House = house, slot_id: str = "day") -> Any:
        venue = await app.state.engine.places.venue(UUID(at.venue_id))
        wanted = SlotKey(venue.tenant_id, venue.id, DAY, slot_id)
        return await audit_channel(
            app.state.engine.db, wanted, places=app.state.engine.places, between=between
        )

    return run


async def nothing() -> None:
    return None


async def test_where_nothing_happens_nothing_is_wrong(audit: Audit) -> None:
    assert await audit(nothing) == []


async def test_a_busy_venue_is_in_order(
    app: FastAPI, db: Database, open_house: Any, audit: Any, owner: asyncpg.Connection
) -> None:
    house = await open_house(
        slots=[each | DAYS for each in SLOTS], policy={"buffer_after_minutes": 15, "hold_ttl_seconds": 60}
    )
    tenant = await tenant_id(owner, house)
    for slot in SLOTS:
        await look(house, slotId=slot["id"])

    async def guest(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(12):
            slugs = rng.sample(["t1", "t2", "l1", "s1", "s1"], rng.choice([1, 1, 2]))
            answer = await house.book(
                start=at(f"{rng.randrange(15, 22)}:{rng.choice(['00', '15', '30'])}"),
                duration_minutes=rng.choice([30, 60, 90]),
                resource_ids=sorted(set(house.ids(*slugs))),
                hold=rng.random() < 0.4,
            )
            if answer.status_code != 201:
                continue
            match rng.randrange(4):
                case 0:
                    await cancel(house, answer.json())
                case 1:
                    await change(house, answer.json(), start=at(f"{rng.randrange(15, 22)}:00"))
                case 2:
                    await tick(db, tenant, due.expire, now=instant("10:00"))

    async def crowd(seeds: range, closed: str) -> None:
        await asyncio.gather(
            *(guest(seed) for seed in seeds), block(app, house, "t3", start=closed, end=f"{closed[:2]}:45")
        )

    for slot, seeds, closed in ((SLOTS[0], range(6), "18:00"), (SLOTS[1], range(6, 12), "20:15")):
        found = await audit(lambda s=seeds, c=closed: crowd(s, c), at=house, slot_id=slot["id"])
        assert found == []
    count = "SELECT version FROM channel WHERE venue_id = $1 AND name LIKE '%late'"
    assert await owner.fetchval(count, UUID(house.venue_id)) > 10


# What is done to a channel is found.


async def test_a_claim_that_nobody_was_told_of(
    audit: Audit, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: Any, **__: Any) -> None:
        return None

    async def between() -> None:
        for module in announcers:
            monkeypatch.setattr(module, "announce", silent)
        await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))

    announcers = [
        module
        for name, module in sys.modules.items()
        if name.startswith("holdfast.booking.") and vars(module).get("announce") is announcing.announce
    ]
    assert announcers
    found = await audit(between)
    assert found is not None
    assert [each.section_id for each in found] == [house.resources["t1"]]
    assert "confirmed" in found[0].read
    assert "available" in found[0].told


async def _last_event(owner: asyncpg.Connection, house: House) -> Any:
    last = "SELECT id FROM event WHERE venue_id = $1 AND channel LIKE '2%' ORDER BY version DESC LIMIT 1"
    return await owner.fetchval(last, UUID(house.venue_id))


@pytest.mark.parametrize("after", [0, 1], ids=["the last one", "one in the middle"])
async def test_an_event_that_is_gone(
    audit: Audit, house: House, owner: asyncpg.Connection, after: int
) -> None:
    async def between() -> None:
        await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
        await owner.execute("DELETE FROM event WHERE id = $1", await _last_event(owner, house))
        for slug in ["t2"] * after:
            await house.booked(start=at("18:00"), resource_ids=house.ids(slug))

    found = await audit(between)
    assert found is not None
    assert [each.section_id for each in found] == [None]


async def test_a_version_that_is_left_out(audit: Audit, house: House, owner: asyncpg.Connection) -> None:
    async def between() -> None:
        await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
        skip = "UPDATE channel SET version = version + 1 WHERE venue_id = $1 AND name <> 'bookings'"
        await owner.execute(skip, UUID(house.venue_id))
        await house.booked(start=at("18:00"), resource_ids=house.ids("t2"))

    found = await audit(between)
    assert [each.section_id for each in found or ()] == [None]


async def test_a_version_that_is_there_twice(audit: Audit, house: House, owner: asyncpg.Connection) -> None:
    async def between() -> None:
        await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
        twice = """
            WITH written AS (
                INSERT INTO event (tenant_id, id, event_type, venue_id, subject_id, payload, actor, created_at,
                                   channel, epoch, version)
                SELECT tenant_id, gen_random_uuid(), event_type, venue_id, subject_id, payload, actor, created_at,
                       channel, epoch, version FROM event WHERE id = $1
                RETURNING tenant_id, id
            )
            INSERT INTO event_new (tenant_id, event_id) SELECT tenant_id, id FROM written"""
        await owner.execute(twice, await _last_event(owner, house))

    assert await audit(between)


async def test_an_event_that_tells_something_else(
    audit: Audit, house: House, owner: asyncpg.Connection
) -> None:
    async def between() -> None:
        await house.booked(start=at("18:00"), resource_ids=house.ids("s1"))
        lie = "UPDATE event SET payload = jsonb_set(payload, '{units_free}', '5') WHERE id = $1"
        await owner.execute(lie, await _last_event(owner, house))

    found = await audit(between)
    assert [each.section_id for each in found or ()] == [house.resources["s1"]]


async def test_another_epoch(audit: Audit, house: House, owner: asyncpg.Connection) -> None:
    async def between() -> None:
        other = "UPDATE channel SET epoch = epoch # 1 WHERE venue_id = $1 AND name <> 'bookings'"
        await owner.execute(other, UUID(house.venue_id))
        await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))

    assert await audit(between)


async def test_rules_that_changed_meanwhile_leave_it_open(audit: Audit, house: House) -> None:
    async def between() -> None:
        await house.change_policy(buffer_after_minutes=15)

    assert await audit(between) is None


async def test_while_others_number_events_it_stays_open(
    audit: Audit, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.live.auditor.NUMBERING_TRIES_MAX", 3)
    async with owner.transaction():
        await owner.execute("SELECT set_config('holdfast.tenants', '*', true)")

        async def is_ours() -> bool:
            return await owner.fetchval("SELECT is_complete FROM number_events(NULL, 0, 1000)")

        await until(is_ours)
        assert await audit(nothing) is None


async def test_a_transaction_that_stays_open_is_nothing_to_it(
    audit: Audit, owner: asyncpg.Connection
) -> None:
    async with owner.transaction():
        await owner.fetchval("SELECT pg_current_xact_id()")
        assert await audit(nothing) == []


# The task.


async def test_it_looks_at_what_is_shown_here_and_counts_what_it_finds(
    app: FastAPI, house: House, owner: asyncpg.Connection
) -> None:
    snapshots = app.state.snapshots
    snapshots.floors.invalidate_all()
    skip = "UPDATE channel SET version = version + $2 WHERE venue_id = $1 AND name <> 'bookings'"
    skipped = 0

    async def watch() -> None:
        await owner.execute(skip, UUID(house.venue_id), skipped)

    auditor = Auditor(app.state.engine.db, app.state.engine.places, snapshots, watch=watch)
    await look(house)
    assert await auditor.audit() == 0
    before = MISMATCHES._value.get()
    await look(house)
    skipped = 1
    assert await auditor.audit() == 1
    assert MISMATCHES._value.get() == before + 1


async def test_it_goes_on_when_the_database_does_not_answer(
    app: FastAPI, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise OSError("gone")

    await look(house)
    monkeypatch.setattr("holdfast.live.auditor.audit_channel", broken)
    assert await app.state.auditor.audit() == 0
