"""Locks are taken in order, waited for a moment, and then without a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import asyncpg
import pytest

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import LateLocks, Tx, lock_key
from holdfast.kernel.ids import new_id
from tests.processes import until

TRIES = 40


@pytest.fixture
def keys() -> list[int]:
    return sorted(lock_key(new_id()) for _ in range(4))


@asynccontextmanager
async def held(url: str, *keys: int) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            for key in keys:
                await connection.execute("SELECT pg_advisory_xact_lock($1)", key)
            yield connection
    finally:
        await connection.close()


async def _locked(tx: Tx) -> frozenset[int] | None:
    return tx.locked


async def test_one_that_is_late_keeps_nobody_from_the_others(
    db: Database, database_url: str, keys: list[int]
) -> None:
    first, second, third, fourth = keys
    async with held(database_url, second, third):
        assert await db.call(SYSTEM, some_locks=keys).run(_locked) == {first, fourth}
        assert second in db.late
        assert third in db.late

    async def free() -> bool:
        return second not in db.late and third not in db.late

    await until(free)
    assert await db.call(SYSTEM, some_locks=keys).run(_locked) == set(keys)


async def test_a_verb_runs_with_all_it_needs_or_waits(
    db: Database, database_url: str, keys: list[int]
) -> None:
    async with held(database_url, keys[2]):
        running = asyncio.create_task(db.call(SYSTEM, locks=keys, deadline_s=60).run(_locked))

        async def late() -> bool:
            return keys[2] in db.late

        await until(late)
        assert not running.done()
        # What it had it has given back.
        async with held(database_url, keys[0], keys[1], keys[3]):
            pass
    assert await running == set(keys)


async def test_what_is_late_is_asked_for_all_at_once_until_it_is_free() -> None:
    free: list[int] = []
    asked: list[list[int]] = []

    async def ask(keys: list[int]) -> list[int]:
        asked.append(keys)
        if len(asked) == 1:
            raise OSError  # the database is away
        return [key for key in free if key in keys]

    locks = LateLocks(ask)
    locks.add([1, 2])
    locks.add([2, 3])
    told: list[int] = []
    locks.when_free(2, lambda: told.append(2))
    waiting = asyncio.create_task(locks.wait([1, 2]))

    async def seen() -> bool:
        return len(asked) >= 3

    await until(seen)
    assert asked[0] == [1, 2, 3]
    assert not waiting.done()
    free += [1, 2]
    await waiting
    assert told == [2]
    assert 3 in locks
    locks.close()


async def test_whoever_waits_for_several_never_waits_in_a_circle(db: Database, keys: list[int]) -> None:
    """Many that take several at once, while others take one: all get to their end."""
    dice = Random(1)

    async def one(number: int) -> bool:
        wanted = sorted(dice.sample(keys, 3)) if number % 2 else [dice.choice(keys)]
        knob = "some_locks" if number % 4 < 2 else "locks"
        had = await db.call(SYSTEM, deadline_s=60, **{knob: wanted}).run(_slow)
        return had is not None and (had <= set(wanted) if knob == "some_locks" else had == set(wanted))

    async def _slow(tx: Tx) -> frozenset[int] | None:
        await tx.execute("SELECT pg_sleep(0.002)")
        return tx.locked

    assert all(await asyncio.gather(*(one(n) for n in range(TRIES))))
