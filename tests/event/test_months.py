"""Partitions of a month: made ahead, dropped when old, and nothing refused where none was made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.event.months import EVENTS_KEPT_DAYS, add_months, drop_months
from holdfast.event.number import Numberer
from holdfast.event.read import purged
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import Overloaded
from holdfast.kernel.ids import new_id

from .test_number import Reader
from .writing import INSERT

MONTH_OF = "SELECT tableoid::regclass::text FROM event WHERE id = $1"


def id_at(instant: datetime) -> UUID:
    """A UUIDv7 of that instant."""
    tail = new_id().int & ((1 << 80) - 1)
    return UUID(int=(int(instant.timestamp() * 1000) << 80) | tail)


def months_ago(number: int) -> datetime:
    """The middle of the month so many before this one."""
    now = datetime.now(UTC)
    year, month = divmod(now.year * 12 + now.month - 1 - number, 12)
    return datetime(year, month + 1, 15, tzinfo=UTC)


async def make_month(owner: asyncpg.Connection, instant: datetime) -> None:
    """The partitions of that month, as if they had been made in time."""
    following = (instant.replace(day=1) + timedelta(days=32)).replace(day=1)
    for parent in ("event", "event_log"):
        await owner.execute(
            f"CREATE TABLE IF NOT EXISTS {parent}_{instant:%Y_%m} PARTITION OF {parent}"
            f" FOR VALUES FROM ('{id_first(instant)}') TO ('{id_first(following)}')"
        )


def id_first(instant: datetime) -> UUID:
    first = datetime(instant.year, instant.month, 1, tzinfo=UTC)
    return UUID(int=int(first.timestamp() * 1000) << 80)


async def months(owner: asyncpg.Connection) -> list[str]:
    rows = await owner.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'event'::regclass ORDER BY 1"
    )
    return [row["name"] for row in rows]


async def drop(db: Database, limit: int = 100) -> int:
    return await db.run(SYSTEM, drop_months, limit)


@pytest.fixture(autouse=True)
async def _nothing_old(db: Database) -> None:
    """Other tests of this database may have written at instants of their own."""
    await Numberer(db).number()
    while await drop(db):
        pass


async def test_this_month_and_three_more_are_there_from_the_start(
    db: Database, owner: asyncpg.Connection
) -> None:
    ahead = [f"event_{months_ago(-n):%Y_%m}" for n in range(4)]
    assert set(ahead) <= set(await months(owner))
    await db.run(SYSTEM, add_months, 1)  # safe to run again
    assert set(ahead) <= set(await months(owner))


async def test_what_came_before_its_month_was_made_moves_there(
    db: Database, owner: asyncpg.Connection
) -> None:
    tenant, ahead = new_id(), months_ago(-3)
    for parent in ("event", "event_log"):
        await owner.execute(f"DROP TABLE {parent}_{ahead:%Y_%m}")
    made = id_at(ahead)
    await owner.execute(INSERT, tenant, made)
    assert await owner.fetchval(MONTH_OF, made) == "event_other"
    reader = Reader(db, tenant)
    assert await reader.read() == 1
    await db.run(SYSTEM, add_months, 1)
    assert await owner.fetchval(MONTH_OF, made) == f"event_{ahead:%Y_%m}"
    reader.at = 0
    assert await reader.read() == 1
    assert reader.ids == [made, made]


async def test_old_months_go_with_their_positions_and_the_next_position_is_one_above(
    db: Database, owner: asyncpg.Connection
) -> None:
    tenant, young = new_id(), new_id()
    old = [months_ago(number) for number in (4, 3)]
    for instant in old:
        await make_month(owner, instant)
        await owner.execute(INSERT, tenant, id_at(instant))
    head = (await Numberer(db).number()).head
    assert await drop(db) == 0
    assert {f"event_{each:%Y_%m}" for each in old}.isdisjoint(await months(owner))
    assert await db.run(SYSTEM, purged) == head
    reader = Reader(db, tenant)
    await owner.execute(INSERT, tenant, young)
    assert await reader.read() == 1
    assert [(each.event.id, each.position) for each in reader.got] == [(young, head + 1)]


async def test_positions_go_on_where_nothing_at_all_is_left(db: Database, owner: asyncpg.Connection) -> None:
    """A quiet venue: two months without an event, and all there were are dropped."""
    tenant, old = new_id(), months_ago(3)
    await make_month(owner, old)
    await owner.execute(INSERT, tenant, id_at(old))
    head = (await Numberer(db).number()).head
    await drop(db)
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("TRUNCATE event, event_log")
    assert await owner.fetchval("SELECT head FROM number_events(NULL, 0, 100)") == head
    await transaction.rollback()


async def test_an_event_without_a_position_keeps_its_month(db: Database, owner: asyncpg.Connection) -> None:
    tenant, old = new_id(), months_ago(3)
    await make_month(owner, old)
    made = id_at(old)
    await owner.execute(INSERT, tenant, made)
    await drop(db)
    reader = Reader(db, tenant)
    await reader.read()
    assert reader.ids == [made]
    await drop(db)
    assert f"event_{old:%Y_%m}" not in await months(owner)


async def test_old_ones_that_no_month_was_made_for_go_in_batches(
    db: Database, owner: asyncpg.Connection
) -> None:
    tenant, old = new_id(), months_ago(5)
    for _ in range(5):
        await owner.execute(INSERT, tenant, id_at(old))
    young = new_id()
    await owner.execute(INSERT, tenant, young)
    await Numberer(db).number()
    assert [await drop(db, 3) for _ in range(3)] == [3, 2, 0]
    left = await owner.fetch("SELECT id FROM event WHERE tenant_id = $1", tenant)
    assert [row["id"] for row in left] == [young]


async def test_events_of_the_last_thirty_days_are_kept(db: Database, owner: asyncpg.Connection) -> None:
    kept, tenant = datetime.now(UTC) - timedelta(days=EVENTS_KEPT_DAYS - 1), new_id()
    await make_month(owner, kept)
    made = id_at(kept)
    await owner.execute(INSERT, tenant, made)
    reader = Reader(db, tenant)
    await reader.read()
    await drop(db)
    reader.at = 0
    await reader.read()
    assert reader.ids == [made, made]


async def test_it_waits_for_no_reader_while_everybody_else_would_wait_for_it(
    db: Database, owner: asyncpg.Connection, another: Callable[..., Any]
) -> None:
    old = months_ago(3)
    await make_month(owner, old)
    async with another() as slow, slow.transaction():
        await slow.fetchval("SELECT count(*) FROM event")
        with pytest.raises(Overloaded):
            await drop(db)
    assert f"event_{old:%Y_%m}" in await months(owner)
    await drop(db)
    assert f"event_{old:%Y_%m}" not in await months(owner)


async def test_who_uses_the_application_removes_no_events(db: Database) -> None:
    async def remove(tx: Tx, table: str) -> None:
        await tx.execute(f"DELETE FROM {table}")

    for table in ("event", "event_log", "event_new", f"event_{datetime.now(UTC):%Y_%m}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.run(SYSTEM, remove, table)
