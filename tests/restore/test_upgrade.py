"""A database of version 0.1.0 with data in it is brought to the newest schema and back, and goes on.

`version_0_1_0.sql` is what that version wrote: bookings, a block, a series, two parties on the waitlist, eight dead
letters. One place has come free with a job that waits, and one without a job.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg

from holdfast.event.number import Numberer
from holdfast.event.read import read
from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.embedded import Server, create_database
from holdfast.kernel.embedded.programs import wheel_bin_dir
from holdfast.main.process import migrate as migrations
from holdfast.main.process.migrate import migrate, migrate_back
from tests.engines import connect
from tests.processes import until

from .shop import shop_on
from .test_restore import run

DATA = Path(__file__).with_name("version_0_1_0.sql")
BEFORE = "0003"
BOTH_HAVE_OFFERS = "SELECT bool_and(status = 'OFFERED') FROM waitlist_entry"


async def asked(url: str, question: str) -> Any:
    owner = await asyncpg.connect(url, server_settings={"holdfast.tenants": "*"})
    try:
        return await owner.fetchval(question)
    finally:
        await owner.close()


async def old_database(server: Server, name: str) -> str:
    await create_database(server, name)
    url = server.url(name)
    async with migrations._turn(url) as connection:
        await migrations._run(connection, lambda alembic, config: alembic.upgrade(config, BEFORE))
    await run(wheel_bin_dir() / "psql", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={DATA}", url)
    return url


async def events(url: str) -> list[str]:
    db = await connect(url)
    await Numberer(db).number()
    found = [str(each.event.id) for each in await db.run(SYSTEM, read, after=0)]
    await db.close()
    return found


LATE = """
    WITH late AS (
        INSERT INTO event (tenant_id, id, event_type, subject_id, payload, actor, created_at)
        SELECT id, gen_random_uuid(), 'test.late', id, '{}', 'system', now() FROM tenant RETURNING tenant_id, id
    ), queued AS (
        INSERT INTO event_new (tenant_id, event_id) SELECT tenant_id, id FROM late
    )
    SELECT id::text FROM late
"""
JOBS = "SELECT array_agg(event ->> 'id' ORDER BY event ->> 'id') FROM job"
OLD_JOBS = """
    SELECT array_agg(id ORDER BY id)
      FROM (SELECT convert_from(payload, 'UTF8')::jsonb ->> 1 AS id FROM pgqueuer.pgqueuer) AS q
"""
IN_THE_OLD_ORDER = "SELECT array_agg(id::text ORDER BY xid, seq) FROM event"


async def test_what_version_0_1_0_left_undone_is_done(
    server: Server, data_dir: Path, issuer: DevIssuer
) -> None:
    url = await old_database(server, "upgraded")
    in_order = await asked(url, IN_THE_OLD_ORDER)
    assert await migrate(url)
    assert await events(url) == in_order
    async with shop_on(url, data_dir) as shop:
        await until(lambda: asked(url, BOTH_HAVE_OFFERS))
        slug = await asked(url, "SELECT slug FROM tenant")
        alice = {"authorization": f"Bearer {issuer.mint(slug, ['manager'], 'alice')}"}
        letters = (await shop.client.get("/dead-letters", headers=alice)).json()["items"]
        assert len(letters) == 8
        assert {each["event"]["event_type"] for each in letters} == {"booking.created"}
        replayed = await shop.client.post(f"/dead-letters/{letters[0]['id']}/replay", headers=alice)
        assert replayed.status_code == 202

        async def delivered() -> bool:
            path = f"/dead-letters/{letters[0]['id']}"
            return (await shop.client.get(path, headers=alice)).json()["delivered_at"] is not None

        await until(delivered)
        await shop.is_sound()


async def test_back_and_forth_nothing_is_lost(server: Server, data_dir: Path) -> None:
    url = await old_database(server, "downgraded")
    in_order = await asked(url, IN_THE_OLD_ORDER)
    tables = ("event", "dead_letter", "waitlist_entry", "booking", "claim")
    counts = [await asked(url, f"SELECT count(*) FROM {table}") for table in tables]
    assert await migrate(url)
    # An event that has no position yet, as there are at any moment.
    late = await asked(url, LATE)
    jobs = await asked(url, JOBS)
    assert len(jobs) == 3, "one that waits in the queue, and two events that none was made of"

    await migrate_back(url, to=BEFORE)
    assert await asked(url, IN_THE_OLD_ORDER) == [*in_order, late]
    counts[0] += 1
    assert [await asked(url, f"SELECT count(*) FROM {table}") for table in tables] == counts
    assert await asked(url, OLD_JOBS) == jobs

    assert await migrate(url)
    assert await events(url) == [*in_order, late]
    assert await asked(url, JOBS) == jobs
    assert await asked(url, "SELECT count(*) FROM dead_letter") == 8
    async with shop_on(url, data_dir) as shop:
        await until(lambda: asked(url, BOTH_HAVE_OFFERS))
        await shop.is_sound()
