"""A verb that takes its process down is not tried for ever."""

from __future__ import annotations

import asyncpg
import orjson
import pytest

from holdfast.job.letters import replay
from holdfast.job.model import TRIES_MAX
from holdfast.job.run import VANISHED_MAX
from holdfast.kernel.actor import SYSTEM
from tests.processes import until

from .conftest import Desk, reaction
from .test_run import NOTE, Failing


async def vanish(desk: Desk, *, times: int) -> None:
    """So many workers take each job, and are not heard of again."""
    for _ in range(times):
        while await desk.take("note", "broken"):
            pass
        await desk.leases_run_out()


@pytest.mark.parametrize(("times", "dead"), [(VANISHED_MAX - 1, False), (VANISHED_MAX, True)])
async def test_after_ten_workers_it_is_a_dead_letter(desk: Desk, times: int, dead: bool) -> None:
    desk.react(NOTE)
    [event] = await desk.emit()
    await vanish(desk, times=times)
    async with desk.lane(NOTE):
        await until(desk.drained)
    assert await desk.noted() == (not dead)
    letters: list[asyncpg.Record] = await desk.owner.fetch(
        "SELECT event, reaction, attempts, error FROM dead_letter"
    )
    told = [(orjson.loads(each["event"])["id"], *tuple(each)[1:]) for each in letters]
    assert told == [(str(event.id), "note", VANISHED_MAX, "WorkerVanished")] * dead


async def test_what_is_dead_of_it_stays_so_until_it_is_replayed(desk: Desk) -> None:
    desk.react(NOTE)
    await desk.emit()
    await vanish(desk, times=VANISHED_MAX)
    async with desk.lane(NOTE):
        await until(desk.drained)
        [marker] = await desk.emit()
        await until(desk.drained)
    assert await desk.noted() == await desk.count("event WHERE subject_id = $1", marker.id) == 1
    await desk.db.run(SYSTEM, replay, await desk.owner.fetchval("SELECT id FROM dead_letter"))
    async with desk.lane(NOTE):
        await until(desk.drained)
    assert await desk.noted() == 2
    assert await desk.count("dead_letter WHERE delivered_at IS NOT NULL") == 1


async def test_tries_that_failed_and_jobs_given_back_do_not_count(desk: Desk) -> None:
    """Each of them was put back into the queue, so nobody vanished with it."""
    verb = Failing(TRIES_MAX - 1)
    broken = reaction("broken", verb)
    desk.react(broken)
    await desk.emit()
    await vanish(desk, times=VANISHED_MAX - 1)
    async with desk.lane(broken):
        await until(desk.drained)
    assert verb.tries == TRIES_MAX
    assert await desk.noted() == 1
    assert await desk.count("dead_letter") == 0
