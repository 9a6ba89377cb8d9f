"""The worker: ticks in their rhythm, whatever one of them does, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from uuid import UUID

import pytest

from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.embedded import Server
from holdfast.kernel.errors import Overloaded
from holdfast.main.process.worker import BACK_OFF_S_MAX, Tick, pause_s, run_loops, tick_loops
from tests import databases
from tests.engines import connect, engine_over
from tests.processes import PATIENT_S, SOON_S

LONG_S = 3600.0


@pytest.fixture
async def db(server: Server) -> AsyncIterator[Database]:
    url = await databases.new_database(server, f"worker_{next(_numbers)}")
    database = await connect(url, deadline_s=PATIENT_S)
    yield database
    await database.close()


_numbers = count(1)


async def run_until(db: Database, ticks: list[Tick], seen: asyncio.Event) -> None:
    """Runs the ticks until `seen`, and until they have stopped then."""
    stopping = asyncio.Event()
    running = asyncio.create_task(run_loops(tick_loops(engine_over(db), ticks, stopping), stopping))
    await asyncio.wait_for(seen.wait(), SOON_S)
    stopping.set()
    await asyncio.wait_for(running, SOON_S)


def marker(times: int, seen: asyncio.Event) -> Tick:
    """A tick that has `seen` set when it has run so many times."""
    left = [times]

    async def mark(tx: Tx, batch: int) -> int:
        left[0] -= 1
        if not left[0]:
            seen.set()
        return 0

    return Tick("marker", 0.001, mark, 1)


async def test_full_batches_follow_one_another_at_once_and_a_sleep_ends_when_it_is_to_stop(
    db: Database,
) -> None:
    """The period is longer than anybody waits here."""
    left, sizes, seen = [25], list[int](), asyncio.Event()

    async def expire(tx: Tx, batch: int) -> int:
        assert tx.actor.kind == "system"
        handled = min(batch, left[0])
        left[0] -= handled
        sizes.append(handled)
        if not left[0]:
            seen.set()
        return handled

    await run_until(db, [Tick("expire", LONG_S, expire, 10)], seen)
    assert sizes == [10, 10, 5]


async def test_a_tick_that_always_finds_more_goes_on_until_it_is_stopped(db: Database) -> None:
    rounds, seen = [0], asyncio.Event()

    async def endless(tx: Tx, batch: int) -> int:
        rounds[0] += 1
        if rounds[0] == 100:
            seen.set()
        return batch

    await run_until(db, [Tick("endless", LONG_S, endless, 1)], seen)
    assert rounds[0] >= 100


async def test_a_tick_that_fails_is_tried_again(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.main.process.worker.BACK_OFF_S_MIN", 0.01)
    tries, seen = [0], asyncio.Event()

    async def broken(tx: Tx, batch: int) -> int:
        tries[0] += 1
        if tries[0] == 1:
            raise RuntimeError("not this time")
        seen.set()
        return 0

    await run_until(db, [Tick("broken", LONG_S, broken, 1)], seen)
    assert tries[0] == 2


async def test_a_tick_that_fails_holds_up_no_other(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.main.process.worker.BACK_OFF_S_MIN", LONG_S)
    monkeypatch.setattr("holdfast.main.process.worker.BACK_OFF_S_MAX", LONG_S)
    tries, seen = [0], asyncio.Event()

    async def broken(tx: Tx, batch: int) -> int:
        tries[0] += 1
        raise RuntimeError("never")

    await run_until(db, [Tick("broken", 0.001, broken, 1), marker(5, seen)], seen)
    assert tries[0] == 1


async def test_each_tenant_is_seen_to_in_a_transaction_of_its_own_whatever_becomes_of_others(
    db: Database,
) -> None:
    alice, bob = UUID(int=1), UUID(int=2)
    left, runs, seen = {alice: 3, bob: 3}, list[tuple[str, int]](), asyncio.Event()

    async def tenants(_tx: Tx, batch: int) -> list[UUID]:
        assert batch == 2
        return [tenant for tenant, count in left.items() if count]

    async def visible(tx: Tx, batch: int) -> int:
        named = await tx.fetchval("SELECT current_setting('holdfast.tenants')")
        if not runs:
            runs.append((named, 0))
            raise Overloaded
        handled = min(batch, left[UUID(named)])
        left[UUID(named)] -= handled
        runs.append((named, handled))
        if not any(left.values()):
            seen.set()
        return handled

    await run_until(db, [Tick("visible", 0.001, visible, 2, tenants)], seen)
    assert runs[:2] == [(str(alice), 0), (str(bob), 2)]
    assert sorted(runs) == [(str(alice), 0), (str(alice), 1), (str(alice), 2), (str(bob), 1), (str(bob), 2)]


async def test_a_tick_that_does_not_end_is_rolled_back_when_it_is_to_stop(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.main.process.worker.FINISH_TIMEOUT_S", 0.1)
    seen, ended = asyncio.Event(), list[str]()

    async def slow(tx: Tx, batch: int) -> int:
        seen.set()
        try:
            await tx.execute(f"SELECT pg_sleep({LONG_S})")
        finally:
            ended.append("cancelled")
        raise AssertionError("it ended by itself")

    await run_until(db, [Tick("slow", LONG_S, slow, 1)], seen)
    assert ended == ["cancelled"]


def test_pauses_are_the_period_give_or_take_a_fifth_and_bounded_after_failures() -> None:
    pauses = [pause_s(10, 0) for _ in range(200)]
    assert 8 <= min(pauses) < 9 < 11 < max(pauses) <= 12
    assert 0.4 <= pause_s(LONG_S, 1) <= 0.6
    assert pause_s(LONG_S, 1000) <= BACK_OFF_S_MAX * 1.2
