"""Jobs of one venue take turns, so that those who book there wait for one of them at most."""

from __future__ import annotations

from uuid import UUID

from holdfast.dispatch.jobs import JOB_LOCK

from holdfast.kernel.ids import new_id
from holdfast.kernel.tx import lock_key
from tests.processes import until

from .conftest import Desk
from .test_deliver import NOTE, NOTED

WAIT = """
    SELECT count(*) FROM pg_locks
     WHERE locktype = 'advisory' AND NOT granted
       AND (classid::bigint << 32) + objid::bigint = $1 AND objsubid = 1
"""


async def waiting(desk: Desk, key: int) -> int:
    return await desk.owner.fetchval(WAIT, key)


async def test_one_job_of_all_workers_waits_for_the_venue(desk: Desk) -> None:
    venue = new_id()
    key = lock_key(UUID(str(venue)))
    await desk.emit(12, venue_id=str(venue))
    await desk.dispatch_all([NOTE])
    async with desk.another() as booker:
        await booker.execute("SELECT pg_advisory_lock($1::bigint)", key)
        async with desk.jobs(NOTE), desk.jobs(NOTE), desk.jobs(NOTE):

            async def are_there() -> bool:
                return await waiting(desk, key ^ JOB_LOCK) == 2

            await until(are_there)
            assert await waiting(desk, key) == 1
            await booker.execute("SELECT pg_advisory_unlock($1::bigint)", key)
            await until(desk.drained)
    assert await desk.count(NOTED) == 12
