"""A verb that takes its process down is not tried for ever."""

from __future__ import annotations

import asyncpg
import pytest
from holdfast.dispatch.deliver import TAKEN_OVER_MAX, VANISHED
from holdfast.dispatch.reaction import Reaction

from holdfast.kernel.ids import new_id
from tests.processes import until

from .conftest import HAPPENED, Desk
from .test_deliver import NOTE, NOTED, Failing


async def vanish(owner: asyncpg.Connection, *, times: int) -> None:
    """As if so many workers had picked the jobs and died at once, the first an hour ago."""
    await owner.execute(
        "INSERT INTO pgqueuer.pgqueuer_log (job_id, status, priority, entrypoint)"
        " SELECT id, 'picked', priority, entrypoint FROM pgqueuer.pgqueuer, generate_series(1, $1)",
        times,
    )
    await owner.execute(
        "UPDATE pgqueuer.pgqueuer SET status = 'picked', queue_manager_id = $1,"
        " created = now() - interval '1 hour', heartbeat = now() - interval '6 seconds'",
        new_id(),
    )


@pytest.mark.parametrize(("times", "dead"), [(TAKEN_OVER_MAX - 1, False), (TAKEN_OVER_MAX, True)])
async def test_after_ten_workers_it_is_a_dead_letter(desk: Desk, times: int, dead: bool) -> None:
    [event] = await desk.emit()
    await desk.dispatch_all([NOTE])
    await vanish(desk.owner, times=times)
    async with desk.jobs(NOTE):
        await until(desk.drained)
    assert await desk.count(NOTED) == (not dead)
    letters = await desk.owner.fetch("SELECT event_id, reaction, attempts, error FROM dead_letter")
    assert [tuple(each) for each in letters] == [(event.id, "note", times, VANISHED)] * dead


async def test_what_is_dead_of_it_stays_so_until_it_is_replayed(desk: Desk) -> None:
    await desk.emit()
    await desk.dispatch_all([NOTE])
    await vanish(desk.owner, times=TAKEN_OVER_MAX)
    async with desk.jobs(NOTE):
        await until(desk.drained)
    await desk.owner.execute("UPDATE event_cursor SET xid = '0', seq = 0 WHERE name = 'reactions'")
    await desk.dispatch_all([NOTE])
    async with desk.jobs(NOTE):
        await until(desk.drained)
    assert await desk.count(NOTED) == 0
    assert await desk.count("dead_letter") == 1


async def test_tries_that_failed_and_jobs_given_back_do_not_count(desk: Desk) -> None:
    """Each of them was put back into the queue, so nobody vanished with it."""
    verb = Failing(4)
    reaction = Reaction("broken", (HAPPENED,), verb)
    await desk.emit()
    await desk.dispatch_all([reaction])
    await vanish(desk.owner, times=TAKEN_OVER_MAX - 1)
    async with desk.jobs(reaction):
        await until(desk.drained)
    assert verb.tries == 5
    assert await desk.count(NOTED) == 1
    assert await desk.count("dead_letter") == 0
