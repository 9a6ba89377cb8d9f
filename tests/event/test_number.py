"""Positions: dense, in commit order, nothing skipped, whoever numbers and whoever has a transaction open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.event import number
from holdfast.event.emit import emit
from holdfast.event.model import Committed, Event
from holdfast.event.number import Numberer
from holdfast.event.read import read
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.embedded import Server
from holdfast.kernel.errors import Overloaded
from holdfast.kernel.ids import new_id
from tests.processes import until

from .writing import INSERT, INSERT_MANY

Another = Callable[..., Any]


class Reader:
    """Reads on from where it was, page by page, and keeps all that it got. Numbers first, as all readers do."""

    def __init__(self, db: Database, tenant: UUID, *, page: int = 1_000) -> None:
        self.call = db.call(SYSTEM, tenants=[tenant])
        self.numberer = Numberer(db)
        self.page = page
        self.at = 0
        self.got: list[Committed] = []

    async def read(self) -> int:
        """Everything there is by now; returns how many events that was."""
        await until(self._all_numbered)
        before = len(self.got)
        while page := await self.call.run(read, after=self.at, limit=self.page):
            assert len(page) <= self.page
            self.got += page
            self.at = page[-1].position
        return len(self.got) - before

    async def _all_numbered(self) -> bool:
        return (await self.numberer.number()).is_complete

    @property
    def ids(self) -> list[UUID]:
        return [each.event.id for each in self.got]


# Of what is kept; other tests here have months dropped.
POSITIONS = """
    SELECT position FROM event_log WHERE position > coalesce((SELECT position FROM event_purge), 0) ORDER BY 1
"""
PLACES = """
    SELECT (SELECT count(*) FROM event) = (SELECT count(DISTINCT event_id) FROM event_log)
       AND (SELECT count(*) FROM event) = (SELECT count(*) FROM event_log)
       AND NOT EXISTS (SELECT FROM event_new)
"""


async def positions(owner: asyncpg.Connection) -> list[int]:
    return [row[0] for row in await owner.fetch(POSITIONS)]


async def are_dense(owner: asyncpg.Connection) -> bool:
    """All that was committed has one position, without gaps."""
    placed = await positions(owner)
    return placed == list(range(placed[0], placed[0] + len(placed))) and await owner.fetchval(PLACES)


async def test_ten_thousand_commits_arrive_while_a_transaction_is_open_and_its_event_after_them(
    db: Database, owner: asyncpg.Connection, another: Another
) -> None:
    tenant, late = new_id(), new_id()
    reader = Reader(db, tenant)
    async with another() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute(INSERT, tenant, late)
        for _ in range(4):
            await owner.execute(INSERT_MANY.format(count=2_500, tenant=tenant))
            assert await reader.read() == 2_500
        await transaction.commit()
    assert await reader.read() == 1
    assert reader.ids[-1] == late
    assert len(set(reader.ids)) == 10_001
    assert await are_dense(owner)


async def test_a_writing_transaction_in_another_database_delays_nothing(
    db: Database, owner: asyncpg.Connection, another: Another, server: Server
) -> None:
    tenant = new_id()
    reader = Reader(db, tenant)
    async with another(server.url("postgres")) as foreign:
        transaction = foreign.transaction()
        await transaction.start()
        await foreign.fetchval("SELECT pg_current_xact_id()")
        for _ in range(3):
            await owner.execute(INSERT, tenant, new_id())
            assert await reader.read() == 1
        await transaction.rollback()


async def test_what_drew_its_number_first_and_commits_last_is_not_skipped_however_often_was_numbered_meanwhile(
    db: Database, owner: asyncpg.Connection, another: Another
) -> None:
    """The floor of a numberer must not rise above it."""
    tenant, late = new_id(), new_id()
    reader = Reader(db, tenant)
    async with another() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute(INSERT, tenant, late)
        for _ in range(20):
            await owner.execute(INSERT, tenant, new_id())
            await reader.read()
        floor = reader.numberer._floor
        await transaction.commit()
    await reader.read()
    assert reader.ids[-1] == late
    for _ in range(3):
        await owner.execute(INSERT, tenant, new_id())
        await reader.read()
    assert reader.numberer._floor > floor, "once nothing can come any more it is not looked for"


async def test_a_floor_of_another_table_or_run_of_the_server_does_not_count(
    db: Database, owner: asyncpg.Connection
) -> None:
    tenant = new_id()
    reader = Reader(db, tenant)
    await reader.read()
    await owner.execute(INSERT, tenant, new_id())
    reader.numberer._floor, reader.numberer._source = 2**60, "another"
    assert await reader.read() == 1
    assert reader.numberer._floor == 0


async def test_what_was_rolled_back_has_no_position(
    db: Database, owner: asyncpg.Connection, another: Another
) -> None:
    tenant, never, kept = new_id(), new_id(), new_id()
    async with another() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute(INSERT, tenant, never)
        await owner.execute(INSERT, tenant, kept)
        await transaction.rollback()
    reader = Reader(db, tenant)
    await reader.read()
    assert reader.ids == [kept]
    assert await are_dense(owner)


async def test_many_numberers_at_once_number_each_event_once(db: Database, owner: asyncpg.Connection) -> None:
    tenant = new_id()
    writing = asyncio.create_task(owner.execute(INSERT_MANY.format(count=2_000, tenant=tenant)))

    async def keep_numbering() -> None:
        numberer = Numberer(db)
        while not writing.done():
            await numberer.number()

    await asyncio.gather(*(keep_numbering() for _ in range(4)), writing)
    reader = Reader(db, tenant)
    await reader.read()
    assert len(set(reader.ids)) == len(reader.ids) == 2_000
    assert await are_dense(owner)


async def test_who_finds_another_at_work_leaves_it_to_them_and_says_so(
    db: Database, owner: asyncpg.Connection, another: Another
) -> None:
    tenant = new_id()
    await owner.execute(INSERT, tenant, new_id())
    async with another() as other, other.transaction():
        await other.fetchval("SELECT is_complete FROM number_events(NULL, 0, 1000)")
        found = await Numberer(db).number()
        assert not found.is_complete
        assert found.head == (await positions(owner))[-1], "what is not committed is not to be read"
    assert (await Numberer(db).number()).is_complete
    assert await are_dense(owner)


async def test_a_numberer_whose_commit_fails_has_done_nothing(
    db: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = new_id()
    reader = Reader(db, tenant)
    for _ in range(3):
        await owner.execute(INSERT, tenant, new_id())
        await reader.read()
    before = reader.numberer._floor, reader.numberer._seen
    await owner.execute(INSERT, tenant, new_id())

    call = reader.numberer._call

    class BrokenAtTheCommit:
        async def run(self, verb: Any, *args: Any) -> Any:
            async def number_and_fail(tx: Tx) -> None:
                await verb(tx, *args)
                raise ConnectionResetError

            return await call.run(number_and_fail)

    with monkeypatch.context() as broken:
        broken.setattr(reader.numberer, "_call", BrokenAtTheCommit())
        with pytest.raises(Overloaded, match="can't be reached"):
            await reader.numberer.number()
    assert (reader.numberer._floor, reader.numberer._seen) == before
    assert await reader.read() == 1
    assert await are_dense(owner)


async def test_only_who_sees_all_tenants_numbers(db: Database, owner: asyncpg.Connection) -> None:
    """Anybody else would not see the last position."""

    async def as_one_tenant(tx: Tx) -> None:
        await tx.fetch("SELECT * FROM number_events(NULL, 0, 1)")

    for tenants in ([new_id()], []):
        with pytest.raises(asyncpg.RaiseError):
            await db.call(SYSTEM, tenants=tenants).run(as_one_tenant)


async def test_a_pass_has_a_bound_and_the_next_goes_on(
    db: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(number, "NUMBERED_MAX", 7)
    tenant = new_id()
    head = (await Numberer(db).number()).head
    await owner.execute(INSERT_MANY.format(count=20, tenant=tenant))
    numberer = Numberer(db)
    passes = [await numberer.number() for _ in range(3)]
    assert [(each.head - head, each.is_complete) for each in passes] == [(7, False), (14, False), (20, True)]


async def test_numbers_are_drawn_by_who_has_a_transaction_id(db: Database) -> None:
    """Else a numberer could think that nobody can come below a number any more, and be wrong."""
    event = Event(new_id(), new_id(), "test.happened", None, new_id(), {}, "system", datetime.now(UTC))

    async def order(tx: Tx) -> list[str]:
        await tx.execute("SET LOCAL client_min_messages = warning")
        rows = await tx.fetch(f"EXPLAIN (COSTS OFF, VERBOSE) {_emit()}", "[]")
        await emit(tx, [event])
        return [row[0] for row in rows]

    plan = await db.call(SYSTEM, tenants=[event.tenant_id]).run(order)
    into_new = next(n for n, line in enumerate(plan) if "Insert on public.event_new" in line)
    assert any("CTE Scan on emitted" in line for line in plan[into_new:]), "it is fed by what was inserted"


def _emit() -> str:
    from holdfast.event.emit import EMIT

    return EMIT


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

    async def write(tx: Tx) -> list[Event]:
        await emit(tx, wanted[:15])
        await emit(tx, [])
        await emit(tx, wanted[15:])
        return tx.events

    assert await db.call(SYSTEM, tenants=[tenant]).run(write) == wanted
    reader = Reader(db, tenant)
    await reader.read()
    assert [each.event for each in reader.got] == wanted


async def test_each_reads_the_events_of_its_own_tenants(db: Database, owner: asyncpg.Connection) -> None:
    mine, theirs = new_id(), new_id()
    await owner.execute(INSERT, mine, new_id())
    await owner.execute(INSERT, theirs, new_id())
    await Numberer(db).number()
    for tenants, seen in (([mine], {mine}), ([mine, theirs], {mine, theirs}), ([], set())):
        page = await db.call(SYSTEM, tenants=tenants).run(read, after=0)
        assert {each.event.tenant_id for each in page} == seen


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (7, 7), (0, 1), (-5, 1)])
async def test_a_page_has_a_bound(db: Database, owner: asyncpg.Connection, limit: int, count: int) -> None:
    tenant = new_id()
    await owner.execute(INSERT_MANY.format(count=9, tenant=tenant))
    await Numberer(db).number()
    page = await db.call(SYSTEM, tenants=[tenant]).run(read, after=0, limit=limit)
    assert len(page) == count
