"""Workers that are killed, held up or stopped, and a database that goes away: nothing is lost or happens twice."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.kernel.db.call import COMMIT_S
from holdfast.kernel.embedded import EmbeddedPostgres, create_database
from holdfast.main.process.migrate import migrate
from tests.conftest import FAST
from tests.databases import new_cluster
from tests.forks import Forked
from tests.processes import SOON_S, Running, send, stop, until

from .conftest import Desk, desk_at
from .worker import BEGUN, REACTIONS

EVENTS = 50
WORKING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'
"""


@asynccontextmanager
async def worker(desk: Desk, log: Path) -> AsyncIterator[Running]:
    """A worker process, for the block."""
    running = _start(desk, log)
    try:
        yield running
    finally:
        pipe_to(running).close()  # one that is held up goes on
        await stop(running)


def _start(desk: Desk, log: Path) -> Running:
    with log.open("ab") as out:
        process = Forked([desk.url], module="tests.job.worker", stdin=subprocess.PIPE, stdout=out, stderr=out)
        return Running(process, log)


def told(running: Running, event: str) -> list[dict[str, Any]]:
    """The lines of its log about that."""
    lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


async def hold(running: Running) -> None:
    """It does nothing from now on, until `let_go`."""
    before = len(told(running, "held"))
    send(signal.SIGUSR1, running.pid)

    async def is_held() -> bool:
        return len(told(running, "held")) > before

    await until(is_held)


def let_go(running: Running) -> None:
    pipe_to(running).write(b".")
    pipe_to(running).flush()


def pipe_to(running: Running) -> IO[bytes]:
    assert running.process.stdin is not None
    return running.process.stdin


async def some_noted(desk: Desk, least: int) -> None:
    async def are() -> bool:
        return await desk.noted() >= least

    await until(are)


async def in_hand(desk: Desk) -> set[UUID]:
    """The jobs of a worker that does not go on, once the database has done what it was asked for."""

    async def is_quiet() -> bool:
        return await desk.owner.fetchval(WORKING) == 0

    await until(is_quiet)
    return {row["id"] for row in await desk.owner.fetch("SELECT id FROM job WHERE leased_until IS NOT NULL")}


async def stopped_with_jobs(desk: Desk, running: Running) -> set[UUID]:
    """The jobs that the worker has in hand, held up at a moment at which it has begun with some of them."""

    async def stopped() -> set[UUID]:
        await hold(running)
        found = await in_hand(desk)
        if found and await desk.count("event WHERE event_type = $1", BEGUN) > await desk.noted():
            return found
        let_go(running)  # it was between two jobs
        return set()

    return await until(stopped)


async def each_once(desk: Desk) -> None:
    """All that was to be done is done, each once."""
    await until(desk.drained)
    assert await desk.each_noted_once(EVENTS)
    assert await desk.count("dead_letter") == 0


async def test_a_worker_that_is_killed_in_the_middle_of_jobs(desk: Desk, tmp_path: Path) -> None:
    desk.react(*REACTIONS)
    await desk.emit(EVENTS)
    async with worker(desk, tmp_path / "first.log") as first:
        await some_noted(desk, 5)
        left = await stopped_with_jobs(desk, first)
        await first.kill()
    await desk.owner.execute("UPDATE job SET leased_until = 'infinity' WHERE leased_until IS NOT NULL")
    async with desk.lane(*REACTIONS):

        async def others_are_done() -> bool:
            return await desk.count("job WHERE id <> ALL ($1)", left) == 0

        await until(others_are_done)
        # These are still the other's, as far as anybody knows.
        assert await desk.count("job WHERE leases = 1") == len(left)
        assert await desk.each_noted_once(EVENTS - len(left))
        await desk.leases_run_out()
        await each_once(desk)
    # The second time it began anew with each.
    assert await desk.count("event WHERE event_type = $1", BEGUN) > EVENTS


async def test_a_worker_that_is_held_up_for_longer_than_its_lease(desk: Desk, tmp_path: Path) -> None:
    """It goes on where it was, with transactions open, when another has done all of it."""
    desk.react(*REACTIONS)
    await desk.emit(EVENTS)
    async with worker(desk, tmp_path / "first.log") as first:
        await some_noted(desk, 5)
        left = await stopped_with_jobs(desk, first)
        await desk.leases_run_out()
        async with desk.lane(*REACTIONS):
            await each_once(desk)
        await asyncio.sleep(COMMIT_S + 1)  # the answer to a COMMIT that was sent before is there
        let_go(first)

        async def has_lost_them() -> bool:
            return {UUID(line["job_id"]) for line in told(first, "job_lost")} == left

        await until(has_lost_them)
        assert first.process.poll() is None
    await each_once(desk)


async def test_a_worker_that_is_stopped_hands_back_what_it_holds(desk: Desk, tmp_path: Path) -> None:
    desk.react(*REACTIONS)
    await desk.emit(EVENTS)
    async with worker(desk, tmp_path / "first.log") as first:
        await some_noted(desk, 5)
        first.process.terminate()
        assert await asyncio.to_thread(first.process.wait, SOON_S) == 0
    done = await desk.noted()
    assert 5 <= done < EVENTS
    assert await desk.count("job WHERE leased_until IS NULL AND vanished = 0") == EVENTS - done
    async with desk.lane(*REACTIONS):
        await each_once(desk)


@pytest.fixture
def mortal(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """A server that may be stopped."""
    new_cluster(data_dir / "mortal")
    postgres = EmbeddedPostgres(data_dir / "mortal", FAST)
    yield postgres
    postgres.stop()


async def test_a_database_that_is_restarted(mortal: EmbeddedPostgres, tmp_path: Path) -> None:
    server = await asyncio.to_thread(mortal.start)
    await create_database(server)
    await migrate(server.url())
    async with desk_at(server.url()) as desk:
        desk.react(*REACTIONS)
        await desk.emit(EVENTS)
        async with worker(desk, tmp_path / "worker.log") as running:
            await some_noted(desk, 5)
            await asyncio.to_thread(mortal.stop)
            await asyncio.to_thread(mortal.start)
            desk.owner = await asyncpg.connect(server.url())
            await desk.leases_run_out()
            await each_once(desk)
            assert running.process.poll() is None
        await desk.owner.close()
