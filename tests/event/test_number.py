"""The commit-order reader: nothing skipped, nothing doubled, whoever commits when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from holdfast.kernel.events import Committed, Event, Position

from holdfast.kernel import events
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db import Database
from holdfast.kernel.ids import new_id
from holdfast.kernel.tx import Tx

INSERT = """
    INSERT INTO event (tenant_id, id, event_type, subject_id, payload, actor, created_at)
    VALUES ($1, $2, 'test.happened', $2, '{}', 'system', now())
"""
# One transaction for each event, without a round trip for each.
INSERT_MANY = """
    DO $$ BEGIN
        FOR n IN 1..{count} LOOP
            INSERT INTO event (tenant_id, id, event_type, subject_id, payload, actor, created_at)
            VALUES ('{tenant}', gen_random_uuid(), 'test.happened', gen_random_uuid(), '{{}}', 'system', now());
            COMMIT;
        END LOOP;
    END $$
"""


@pytest.fixture
async def slow(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody whose transaction takes long."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def quick(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


class Reader:
    """Reads on from where it was, page by page, and keeps all that it got."""

    def __init__(self, db: Database, tenant: UUID, *, page: int = 1_000) -> None:
        self.call = db.call(SYSTEM, tenants=[tenant])
        self.page = page
        self.at = Position()
        self.got: list[Committed] = []

    async def read(self) -> int:
        """Everything there is by now; how many that was."""
        before = len(self.got)
        while page := await self.call.run(events.read_committed, after=self.at, limit=self.page):
            assert len(page) <= self.page
            self.got += page
            self.at = page[-1].position
        return len(self.got) - before

    @property
    def ids(self) -> list[UUID]:
        return [each.event.id for each in self.got]


async def test_a_transaction_left_open_loses_nothing_while_ten_thousand_others_commit(
    db: Database, slow: asyncpg.Connection, quick: asyncpg.Connection
) -> None:
    tenant, late = new_id(), new_id()
    reader = Reader(db, tenant)
    await quick.execute(INSERT_MANY.format(count=500, tenant=tenant))
    assert await reader.read() == 500

    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(INSERT, tenant, late)
    for _ in range(4):
        await quick.execute(INSERT_MANY.format(count=2_500, tenant=tenant))
        # It stands before all of these: to read on past it would be to lose it.
        assert await reader.read() == 0
    await transaction.commit()

    assert await reader.read() == 10_001
    assert reader.ids[500] == late
    assert len(set(reader.ids)) == len(reader.ids) == 10_501
    positions = [each.position for each in reader.got]
    assert positions == sorted(positions)
    assert await reader.read() == 0


async def test_who_began_first_and_wrote_last_is_not_passed_over(
    db: Database, slow: asyncpg.Connection, quick: asyncpg.Connection
) -> None:
    """Its number is higher than that of an event which stands behind it: pages must not jump over it."""
    tenant, early, late = new_id(), new_id(), new_id()
    transaction = slow.transaction()
    await transaction.start()
    await slow.fetchval("SELECT pg_current_xact_id()")
    await quick.execute(INSERT, tenant, early)
    await slow.execute(INSERT, tenant, late)
    await transaction.commit()
    reader = Reader(db, tenant, page=1)
    await reader.read()
    assert reader.ids == [late, early]


async def test_what_was_rolled_back_never_happened(
    db: Database, slow: asyncpg.Connection, quick: asyncpg.Connection
) -> None:
    tenant, never, kept = new_id(), new_id(), new_id()
    reader = Reader(db, tenant)
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(INSERT, tenant, never)
    await quick.execute(INSERT, tenant, kept)
    await transaction.rollback()
    await reader.read()
    assert reader.ids == [kept]


async def test_the_events_of_one_transaction_keep_their_order(db: Database) -> None:
    tenant = new_id()
    wanted = [
        Event(
            id=new_id(),
            tenant_id=tenant,
            event_type=f"test.number_{n}",
            venue_id=new_id(),
            subject_id=new_id(),
            payload={"n": n, "text": "ä😀"},
            actor="guest:gina",
            created_at=datetime(2027, 1, 1, 12, tzinfo=UTC),
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        for n in range(20)
    ]

    async def emit(tx: Tx) -> None:
        await events.emit(tx, wanted[:15])
        await events.emit(tx, [])
        await events.emit(tx, wanted[15:])

    await db.call(SYSTEM, tenants=[tenant]).run(emit)
    reader = Reader(db, tenant)
    await reader.read()
    assert [each.event for each in reader.got] == wanted


async def test_each_reads_the_events_of_its_own_tenants(db: Database, quick: asyncpg.Connection) -> None:
    mine, theirs = new_id(), new_id()
    await quick.execute(INSERT, mine, new_id())
    await quick.execute(INSERT, theirs, new_id())
    for tenants, seen in (([mine], {mine}), ([mine, theirs], {mine, theirs}), ([], set())):
        call = db.call(SYSTEM, tenants=tenants)
        page = await call.run(events.read_committed, after=Position())
        assert {each.event.tenant_id for each in page} == seen


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (7, 7), (0, 1), (-5, 1)])
async def test_a_page_has_a_bound(db: Database, quick: asyncpg.Connection, limit: int, count: int) -> None:
    tenant = new_id()
    await quick.execute(INSERT_MANY.format(count=9, tenant=tenant))
    page = await db.call(SYSTEM, tenants=[tenant]).run(events.read_committed, after=Position(), limit=limit)
    assert len(page) == count
