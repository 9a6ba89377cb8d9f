"""Workers that are killed or stopped, and a database that goes away: nothing is lost, nothing happens twice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from holdfast.dispatch.jobs import TAKE_OVER_S

from holdfast.kernel.embedded import EmbeddedPostgres, create_database
from holdfast.main.migrate import migrate
from tests.conftest import FAST
from tests.processes import SOON_S, Running, stop, until

from .conftest import Desk, desk_at
from .worker import NOTED

ROOT = Path(__file__).parents[2]
EVENTS = 50
EACH_ONCE = f"""
    SELECT count(*) = $1 AND count(DISTINCT subject_id) = $1 FROM event WHERE event_type = '{NOTED}'
"""


@asynccontextmanager
async def worker(desk: Desk, log: Path) -> AsyncIterator[Running]:
    """A worker of its own, for the block."""
    running = _start(desk, log)
    try:
        yield running
    finally:
        await stop(running)


def _start(desk: Desk, log: Path) -> Running:
    with log.open("ab") as out:
        command = [sys.executable, "-m", "tests.dispatch.worker", desk.url]
        return Running(subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out), log)


async def noted(desk: Desk) -> int:
    return await desk.count("event WHERE event_type = $1", NOTED)


async def some_noted(desk: Desk, least: int) -> None:
    async def are() -> bool:
        return await noted(desk) >= least

    await until(are)


async def each_once(desk: Desk) -> None:
    """All have been delivered, each once; no job is left."""

    async def are() -> bool:
        return await desk.count("delivery WHERE delivered_at IS NOT NULL") == EVENTS and await desk.drained()

    await until(are)
    assert await desk.owner.fetchval(EACH_ONCE, EVENTS)
    assert await desk.count("dead_letter") == 0


async def test_a_worker_that_is_killed_in_the_middle_of_jobs(desk: Desk, tmp_path: Path) -> None:
    await desk.emit(EVENTS)
    async with worker(desk, tmp_path / "first.log") as first:
        await some_noted(desk, 5)
        await first.kill()
        left = await desk.count("pgqueuer.pgqueuer WHERE status = 'picked'")
        assert left, "it was to be killed with jobs in hand"
        assert await noted(desk) < EVENTS
        killed = time.monotonic()
        async with worker(desk, tmp_path / "second.log"):
            await each_once(desk)
        assert time.monotonic() - killed > TAKE_OVER_S - 1


async def test_a_worker_that_is_stopped_hands_back_what_it_holds(desk: Desk, tmp_path: Path) -> None:
    await desk.emit(EVENTS)
    async with worker(desk, tmp_path / "first.log") as first:
        await some_noted(desk, 5)
        first.process.terminate()
        assert await asyncio.to_thread(first.process.wait, SOON_S) == 0
        assert await desk.count("pgqueuer.pgqueuer WHERE status = 'picked'") == 0
        done = await noted(desk)
        assert 5 <= done < EVENTS
        assert await desk.queued() == EVENTS - done
    async with worker(desk, tmp_path / "second.log"):
        await each_once(desk)


@pytest.fixture
def mortal(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """A server that may be stopped."""
    postgres = EmbeddedPostgres(data_dir / "mortal", FAST)
    yield postgres
    postgres.stop()


async def test_a_database_that_is_restarted(mortal: EmbeddedPostgres, tmp_path: Path) -> None:
    server = await asyncio.to_thread(mortal.start)
    await create_database(server)
    await migrate(server.url())
    async with desk_at(server.url()) as desk:
        await desk.emit(EVENTS)
        async with worker(desk, tmp_path / "worker.log") as running:
            await some_noted(desk, 5)
            await asyncio.to_thread(mortal.stop)
            await asyncio.to_thread(mortal.start)
            desk.owner = await asyncpg.connect(server.url())
            await each_once(desk)
            assert running.process.poll() is None
        await desk.owner.close()
