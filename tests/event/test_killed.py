"""Whoever numbers is killed, again and again, and the server too: positions stay dense, and what was read stays so."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from holdfast.event.emit import emit
from holdfast.event.model import Event
from holdfast.event.read import read
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx, lock_key
from holdfast.kernel.embedded import EmbeddedPostgres, create_database
from holdfast.kernel.embedded.programs import wheel_bin_dir
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import new_id
from holdfast.main.process.migrate import migrate
from tests.conftest import FAST
from tests.databases import new_cluster
from tests.engines import connect
from tests.processes import PATIENT_S, SOON_S, until

KILLS = 32
VENUES = 3
WRITERS = 4
EVENTS_MIN = 300
GONE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, HoldfastError)
CHANNELS = """
    SELECT venue_id, array_agg(version ORDER BY position) AS versions
      FROM event JOIN event_log ON event_id = id WHERE channel = 'bookings' GROUP BY venue_id
"""


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A server that may be killed."""
    new_cluster(tmp_path / "mortal")
    # What was answered must survive the kill.
    postgres = EmbeddedPostgres(tmp_path / "mortal", FAST | {"synchronous_commit": "on"})
    yield postgres
    postgres.stop()


@dataclass
class World:
    """`acknowledged`: events whose commit was answered. `read`: what readers have seen at each position."""

    url: str
    tenant: UUID
    venues: list[UUID]
    acknowledged: set[UUID] = field(default_factory=set)
    read: dict[int, UUID] = field(default_factory=dict)
    kills: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, dice: random.Random) -> None:
        """Events on the channels of venues, under their locks, as bookings are."""
        db = await connect(self.url, pool_max=2, deadline_s=PATIENT_S)
        while not self.done.is_set():
            venue = dice.choice(self.venues)
            now = datetime.now(UTC)
            event = Event(
                new_id(), self.tenant, "test.happened", venue, new_id(), {}, "system", now, channel="bookings"
            )

            async def both(tx: Tx, event: Event = event) -> None:
                await emit(tx, [event])

            try:
                await db.call(SYSTEM, tenants=[self.tenant], locks=[lock_key(venue)]).run(both)
                self.acknowledged.add(event.id)
            except GONE:
                await asyncio.sleep(0.05)
        db.pool.terminate()

    async def number(self, dice: random.Random) -> None:
        """Has a process number, and kills it at any moment."""
        while not self.done.is_set():
            numbering = await asyncio.create_subprocess_exec(
                wheel_bin_dir() / "psql",
                "-qAt",
                self.url,
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=DEVNULL,
                env=os.environ | {"PGOPTIONS": "-c holdfast.tenants=*"},
            )
            assert numbering.stdin is not None
            numbering.stdin.write(b"SELECT head FROM number_events(NULL, 0, 1000) \\watch 0.001\n")
            await asyncio.sleep(dice.uniform(0.02, 0.2))
            if numbering.returncode is None:
                numbering.kill()
                self.kills += 1
            await numbering.wait()

    async def look(self) -> None:
        """Reads on, again and again; what was read stays what it is."""
        db = await connect(self.url, pool_max=1, deadline_s=PATIENT_S)
        at = 0
        while not self.done.is_set():
            with suppress(*GONE):
                for each in await db.run(SYSTEM, read, after=at):
                    self.read[each.position] = each.event.id
                    at = each.position
            await asyncio.sleep(0.01)
        db.pool.terminate()


async def test_numberers_and_the_server_are_killed(mortal: EmbeddedPostgres) -> None:
    server = await asyncio.to_thread(mortal.start)
    await create_database(server)
    await migrate(server.url())
    tenant, venues = new_id(), [new_id() for _ in range(VENUES)]
    owner = await asyncpg.connect(server.url())
    await owner.execute("INSERT INTO tenant VALUES ($1, 'nord', 'Nord', 1, now())", tenant)
    for venue in venues:
        await owner.execute(
            "INSERT INTO venue VALUES ($1, $2, $3, 'x', 'x', 'UTC', 'SEK', '{}', '{}', '[]', 1, 1, now(), now())",
            tenant,
            venue,
            str(venue),
        )
    await owner.close()

    world = World(server.url(), tenant, venues)
    tasks = [
        *(asyncio.create_task(world.write(random.Random(f"writer {n}"))) for n in range(WRITERS)),
        *(asyncio.create_task(world.number(random.Random(f"numberer {n}"))) for n in range(2)),
        asyncio.create_task(world.look()),
    ]

    async def enough(kills: int, events: int) -> bool:
        for task in tasks:
            assert not task.done(), task.exception()
        return world.kills >= kills and len(world.acknowledged) >= events

    try:
        await until(lambda: enough(KILLS // 2, EVENTS_MIN))
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.to_thread(mortal.stop)
        await asyncio.to_thread(mortal.start)
        await until(lambda: enough(KILLS, 2 * EVENTS_MIN))
        world.done.set()
        await asyncio.wait_for(asyncio.gather(*tasks), SOON_S)
    finally:
        for task in tasks:
            task.cancel()

    owner = await asyncpg.connect(server.url(), server_settings={"holdfast.tenants": "*"})

    async def all_numbered() -> bool:
        return await owner.fetchval("SELECT is_complete FROM number_events(NULL, 0, 100000)")

    await until(all_numbered)  # the server may not know yet that the last one was killed
    log = {row["position"]: row["event_id"] for row in await owner.fetch("SELECT * FROM event_log")}
    assert sorted(log) == list(range(1, len(log) + 1))
    assert len(set(log.values())) == len(log)
    assert world.acknowledged <= set(log.values())
    assert world.read.items() <= log.items()
    for row in await owner.fetch(CHANNELS):
        assert row["versions"] == list(range(1, len(row["versions"]) + 1)), (
            "versions in the order of positions"
        )
    await owner.close()
