"""The dispatcher: each event becomes a job once, whoever dispatches, in commit order and none left out."""

from __future__ import annotations

import asyncio

import orjson
from holdfast.dispatch.dispatch import DISPATCHER_LOCK, dispatch, lag_s
from holdfast.dispatch.jobs import Jobs
from holdfast.dispatch.reaction import Reaction, Tools
from holdfast.kernel.events import Event
from holdfast.main.run_reactions import reaction_loops

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db import Database
from holdfast.kernel.tx import Tx
from holdfast.main.worker import run_loops
from tests.processes import PATIENT_S, SOON_S, until

from .conftest import HAPPENED, INSERT, Desk


async def nothing(tx: Tx, event: Event, tools: Tools) -> None:
    """The verb of a reaction that need not do anything."""


ONE = Reaction("one", (HAPPENED, "test.second"), nothing)
TWO = Reaction("two", (HAPPENED,), nothing)


async def jobs_of(desk: Desk) -> list[tuple[str, str]]:
    rows = await desk.owner.fetch("SELECT entrypoint, payload FROM pgqueuer.pgqueuer ORDER BY id")
    return [(row["entrypoint"], orjson.loads(row["payload"])[1]) for row in rows]


async def test_a_job_for_each_reaction_in_the_order_of_events(desk: Desk) -> None:
    first = await desk.emit(2)
    await desk.emit(1, kind="test.unheard")
    [second] = await desk.emit(1, kind="test.second")
    await desk.dispatch_all([ONE, TWO])
    assert await jobs_of(desk) == [
        ("one", str(first[0].id)),
        ("two", str(first[0].id)),
        ("one", str(first[1].id)),
        ("two", str(first[1].id)),
        ("one", str(second.id)),
    ]
    assert await desk.dispatch([ONE, TWO]) == 0


async def test_batches_have_a_bound_and_go_on_where_the_last_ended(desk: Desk) -> None:
    made = await desk.emit(7)
    counts: list[int] = []

    async def all_done() -> bool:
        counts.append(await desk.dispatch([ONE], 3))
        return sum(counts) == 7

    await until(all_done)
    assert max(counts) == 3
    assert [id_ for _, id_ in await jobs_of(desk)] == [str(event.id) for event in made]


async def test_many_dispatchers_at_once_make_each_event_a_job_once(desk: Desk) -> None:
    made = await desk.emit(300)
    done = 0

    async def dispatcher(db: Database) -> None:
        nonlocal done
        while done < 300:
            call = db.call(SYSTEM, try_locks=[DISPATCHER_LOCK])
            count = await call.run(dispatch, [ONE], 20)
            done += count

    others = [await Database.connect(desk.url, deadline_s=PATIENT_S) for _ in range(3)]
    await asyncio.wait_for(asyncio.gather(*map(dispatcher, [desk.db, *others])), SOON_S)
    for db in others:
        await db.close()
    assert [id_ for _, id_ in await jobs_of(desk)] == [str(event.id) for event in made]


async def test_without_the_lock_nothing_is_dispatched(desk: Desk) -> None:
    await desk.emit()
    await desk.owner.execute(f"SELECT pg_advisory_lock({DISPATCHER_LOCK})")
    assert await desk.dispatch([ONE]) == 0
    await desk.owner.execute(f"SELECT pg_advisory_unlock({DISPATCHER_LOCK})")
    await desk.dispatch_all([ONE])
    assert await desk.queued() == 1


async def test_while_nothing_happens_nothing_is_written(desk: Desk) -> None:
    await desk.emit()
    await desk.dispatch_all([ONE])
    before = await desk.owner.fetchval("SELECT xmin::text FROM event_cursor")

    async def ids(tx: Tx) -> str | None:
        await dispatch(tx, [ONE])
        return await tx.fetchval("SELECT pg_current_xact_id_if_assigned()::text")

    assert await desk.db.call(SYSTEM, try_locks=[DISPATCHER_LOCK]).run(ids) is None
    assert await desk.owner.fetchval("SELECT xmin::text FROM event_cursor") == before


async def test_what_commits_late_is_not_passed_over(desk: Desk) -> None:
    async with desk.another() as slow:
        transaction = slow.transaction()
        await transaction.start()
        late = await slow.fetchval(INSERT, desk.tenant_id, HAPPENED)
        made = await desk.emit(5)
        assert await desk.dispatch([ONE]) == 0
        await transaction.commit()
    await desk.dispatch_all([ONE])
    assert [id_ for _, id_ in await jobs_of(desk)] == [late, *(str(e.id) for e in made)]


async def test_the_lag_is_the_age_of_the_oldest_that_waits(desk: Desk) -> None:
    assert await desk.db.run(SYSTEM, lag_s) == 0
    await desk.emit()
    await desk.dispatch_all([ONE])
    await desk.owner.execute("UPDATE pgqueuer.pgqueuer SET created = now() - interval '1 minute'")
    assert 60 <= await desk.db.run(SYSTEM, lag_s) < 90
    await desk.owner.execute("DELETE FROM pgqueuer.pgqueuer")
    assert await desk.db.run(SYSTEM, lag_s) == 0
    [event] = await desk.emit()
    await desk.owner.execute(
        "UPDATE event SET written_at = now() - interval '2 minutes' WHERE id = $1", event.id
    )
    assert 120 <= await desk.db.run(SYSTEM, lag_s) < 150


async def test_the_loops_of_a_worker_do_all_of_it_and_stop(desk: Desk) -> None:
    stopping, jobs = asyncio.Event(), Jobs(desk.db, [ONE], desk.tools)
    loops = reaction_loops(desk.db, desk.url, reactions=[ONE], jobs=jobs, stopping=stopping)
    running = asyncio.create_task(run_loops(loops, stopping))
    await desk.emit(10)

    async def delivered() -> bool:
        return await desk.count("delivery WHERE delivered_at IS NOT NULL") == 10

    await until(delivered)
    stopping.set()
    await asyncio.wait_for(running, SOON_S)
    assert await desk.queued() == 0
