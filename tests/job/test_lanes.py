"""Nobody's jobs stop another's: not a slow lane, not a venue with many, not another tenant."""

from __future__ import annotations

import asyncio
from uuid import UUID

from holdfast.event.model import Event
from holdfast.job.run import AT_ONCE_MAX
from holdfast.kernel.db.tx import Tx, lock_key
from holdfast.kernel.ids import new_id
from holdfast.main.process.work import run_worker
from tests.engines import connect
from tests.processes import PATIENT_S, SOON_S, until

from .conftest import Desk, note, reaction
from .test_run import NOTE

WAIT = """
    SELECT count(*) FROM pg_locks
     WHERE locktype = 'advisory' AND NOT granted
       AND (classid::bigint << 32) + objid::bigint = $1 AND objsubid = 1
"""


class Blocked:
    """A verb that waits for those of its events until it is let go; how many there are at once."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.now = self.most = 0

    async def __call__(self, tx: Tx, event: Event) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await self.go_on.wait()
        self.now -= 1
        await note(tx, event)

    async def are(self, number: int) -> None:
        async def reached() -> bool:
            return self.now == number

        await until(reached)


async def test_a_slow_lane_holds_up_no_other(desk: Desk) -> None:
    """The slow one has all the jobs that it may have at once, each in a transaction; and neither lane needs the
    connections of the ticks."""
    blocked = Blocked()
    slow, quick = (
        reaction("slow", blocked, lane="slow"),
        reaction("quick", lane="quick", types=("test.quick",)),
    )
    desk.react(slow, quick)
    await desk.emit(3 * AT_ONCE_MAX)
    stopping = asyncio.Event()
    small = await connect(desk.url, pool_max=2, deadline_s=PATIENT_S)
    worker = run_worker(
        desk.engine.over(small), desk.url, ticks=(), reactions=[slow, quick], stopping=stopping
    )
    running = asyncio.create_task(worker)
    await blocked.are(AT_ONCE_MAX)
    await desk.emit(10, kind="test.quick")

    async def quick_ones_are_done() -> bool:
        return await desk.count("job WHERE lane = 'quick'") == 0

    await until(quick_ones_are_done)
    assert await desk.noted() == 10
    assert await desk.count("job WHERE lane = 'slow'") == 3 * AT_ONCE_MAX
    blocked.go_on.set()
    await until(desk.drained)
    stopping.set()
    await asyncio.wait_for(running, SOON_S)
    await small.close()
    assert blocked.most == AT_ONCE_MAX


async def test_a_venue_with_many_jobs_holds_up_no_other(desk: Desk) -> None:
    """However many it has, and however long ago they were due: one runs at a time."""
    blocked, busy = Blocked(), new_id()
    desk.react(reaction("note"))
    many = await desk.emit(150, venue_id=busy)
    mine = [event for venue in (new_id(), new_id(), None) for event in await desk.emit(2, venue_id=venue)]
    theirs = await desk.emit(2, tenant_id=await another_tenant(desk), venue_id=new_id())

    async def verb(tx: Tx, event: Event) -> None:
        await (blocked if event.venue_id == busy else note)(tx, event)

    async def others_are_done() -> bool:
        return await desk.noted() == len(mine + theirs)

    async with desk.lane(reaction("note", verb)):
        await blocked.are(1)
        await until(others_are_done)
        assert await desk.count("job WHERE leased_until IS NOT NULL") == 1
        assert await desk.count("job WHERE venue_id = $1", busy) == len(many)
        left = "SELECT id FROM job WHERE leased_until IS NULL ORDER BY id LIMIT 5"
        await desk.owner.execute(f"DELETE FROM job WHERE leased_until IS NULL AND id NOT IN ({left})")
        blocked.go_on.set()
        await until(desk.drained)
    assert blocked.most == 1
    assert await desk.each_noted_once(1 + 5 + len(mine + theirs))


async def test_one_job_of_all_workers_waits_for_the_venue(desk: Desk) -> None:
    """So those who book there wait for one of them at most."""
    venue = new_id()
    key = lock_key(UUID(str(venue)))
    desk.react(NOTE)
    await desk.emit(12, venue_id=venue)
    [marker] = await desk.emit(venue_id=new_id())
    async with desk.another() as booker, desk.others(3) as others:
        await booker.execute("SELECT pg_advisory_lock($1::bigint)", key)
        async with (
            desk.lane(NOTE, db=others[0]),
            desk.lane(NOTE, db=others[1]),
            desk.lane(NOTE, db=others[2]),
        ):

            async def is_there() -> bool:
                assert await desk.owner.fetchval(WAIT, key) <= 1
                tries = await desk.count("job WHERE leased_until IS NOT NULL") == 1
                return tries and await desk.count("event WHERE subject_id = $1", marker.id) == 1

            await until(is_there)
            await booker.execute("SELECT pg_advisory_unlock($1::bigint)", key)
            await until(desk.drained)
    assert await desk.each_noted_once(13)


async def test_what_fails_at_one_venue_holds_up_nobody(desk: Desk) -> None:
    broken = new_id()

    async def verb(tx: Tx, event: Event) -> None:
        if event.venue_id == broken:
            raise ZeroDivisionError
        await note(tx, event)

    desk.react(reaction("note"))
    await desk.emit(5, venue_id=broken)
    await desk.emit(5, venue_id=new_id())
    await desk.emit(5, tenant_id=await another_tenant(desk))
    async with desk.lane(reaction("note", verb), retry_least_s=3600):

        async def rest_is_done() -> bool:
            return await desk.count("job") == await desk.count("job WHERE failures = 1") == 5

        await until(rest_is_done)
    assert await desk.each_noted_once(10)


async def test_a_worker_leaves_alone_what_it_does_not_know(desk: Desk) -> None:
    """As an older one does during a rollout: the newer has them all to itself, and many of them hold up nobody."""
    desk.react(reaction("newer"))
    await desk.emit(120)
    desk.react(NOTE)
    await desk.emit(3, venue_id=new_id())
    async with desk.lane(NOTE):

        async def known_are_done() -> bool:
            return await desk.count("job WHERE reaction = 'note'") == 0

        await until(known_are_done)
    assert await desk.count("job WHERE reaction = 'newer' AND leases = 0") == 120


async def another_tenant(desk: Desk) -> UUID:
    id_ = new_id()
    await desk.owner.execute(
        "INSERT INTO tenant (id, slug, name, created_at) VALUES ($1, $2, 'Syd', now())",
        id_,
        f"syd-{id_.hex[-10:]}",
    )
    return id_
