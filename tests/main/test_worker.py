"""The worker: ticks in their rhythm, whatever one of them does, until it is told to stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from holdfast.kernel.db import Database
from holdfast.kernel.tx import Tx
from holdfast.main.migrate import migrate
from holdfast.main.tick import Tick
from holdfast.main.worker import BACK_OFF_S_MAX, ROUNDS_MAX, pause_s, run_ticks
from tests.processes import PATIENT_S

LONG_S = 3600.0
SOON_S = 20.0


@pytest.fixture
async def db(new_database: Callable[[], Awaitable[str]]) -> AsyncIterator[Database]:
    url = await new_database()
    await migrate(url)
    database = await Database.connect(url, deadline_s=PATIENT_S)
    yield database
    await database.close()


async def run_until(db: Database, ticks: list[Tick], seen: asyncio.Event) -> float:
    """Runs the ticks until `seen`; seconds it took to stop then."""
    stopping = asyncio.Event()
    running = asyncio.create_task(run_ticks(db, ticks, stopping))
    await asyncio.wait_for(seen.wait(), SOON_S)
    told = time.monotonic()
    stopping.set()
    await asyncio.wait_for(running, SOON_S)
    return time.monotonic() - told


async def test_full_batches_follow_one_another_at_once_and_a_sleep_ends_when_it_is_to_stop(
    db: Database,
) -> None:
    left, sizes, seen = [25], list[int](), asyncio.Event()

    async def expire(tx: Tx, batch: int) -> int:
        assert tx.actor.kind == "system"
        handled = min(batch, left[0])
        left[0] -= handled
        sizes.append(handled)
        if not left[0]:
            seen.set()
        return handled

    stop_s = await run_until(db, [Tick("expire", LONG_S, expire, 10)], seen)
    assert sizes == [10, 10, 5]
    assert stop_s < 1


async def test_a_tick_that_always_finds_more_pauses_after_so_many_batches(db: Database) -> None:
    rounds, seen = [0], asyncio.Event()

    async def endless(tx: Tx, batch: int) -> int:
        rounds[0] += 1
        if rounds[0] == ROUNDS_MAX:
            asyncio.get_running_loop().call_later(0.2, seen.set)
        return batch

    await run_until(db, [Tick("endless", LONG_S, endless, 1)], seen)
    assert rounds[0] == ROUNDS_MAX


async def test_a_tick_that_fails_is_tried_again_and_holds_up_no_other(db: Database) -> None:
    tries, others, seen = [0], [0], asyncio.Event()

    async def broken(tx: Tx, batch: int) -> int:
        tries[0] += 1
        if tries[0] == 1:
            raise RuntimeError("not this time")
        seen.set()
        return 0

    async def sound(tx: Tx, batch: int) -> int:
        others[0] += 1
        return 0

    await run_until(db, [Tick("broken", LONG_S, broken, 1), Tick("sound", 0.05, sound, 1)], seen)
    assert tries[0] == 2
    assert others[0] > 2


async def test_a_tick_that_does_not_end_is_rolled_back_when_it_is_to_stop(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.main.worker.FINISH_TIMEOUT_S", 0.1)
    seen = asyncio.Event()

    async def slow(tx: Tx, batch: int) -> int:
        seen.set()
        await tx.execute("SELECT pg_sleep(60)")
        return 0

    assert await run_until(db, [Tick("slow", LONG_S, slow, 1)], seen) < 2


def test_pauses_are_the_period_give_or_take_a_fifth_and_bounded_after_failures() -> None:
    pauses = [pause_s(10, 0) for _ in range(200)]
    assert 8 <= min(pauses) < 9 < 11 < max(pauses) <= 12
    assert 0.4 <= pause_s(LONG_S, 1) <= 0.6
    assert pause_s(LONG_S, 1000) <= BACK_OFF_S_MAX * 1.2
