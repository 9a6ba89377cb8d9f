"""A database of its own with nothing in it but what these tests emit, and workers on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from holdfast.engine import Engine
from holdfast.event.emit import emit
from holdfast.event.model import Event
from holdfast.job import store
from holdfast.job.model import Job
from holdfast.job.reaction import Immediate, React, Reaction, Verb
from holdfast.job.run import Runner
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.config import Settings
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.embedded import Server
from holdfast.kernel.ids import new_id
from holdfast.main.http.app import create_app
from holdfast.place.write_store import insert_tenant
from tests import databases
from tests.conftest import House
from tests.engines import connect, engine_over
from tests.job.handling import all_of, in_one_transaction
from tests.processes import PATIENT_S, SOON_S

HAPPENED, NOTED = "test.happened", "test.noted"
LANE = "lane"
EMPTY = "TRUNCATE event, event_new, event_log, event_purge, job, dead_letter"
RAN_OUT = "UPDATE job SET leased_until = now() - interval '1 second' WHERE leased_until IS NOT NULL"


def made(tenant_id: UUID, kind: str = HAPPENED, *, venue_id: UUID | None = None, n: int = 0) -> Event:
    return Event(new_id(), tenant_id, kind, venue_id, new_id(), {"n": n}, "system", datetime.now(UTC))


async def note(tx: Tx, event: Event) -> None:
    """Something in the database that can be counted: another event, about this one."""
    await emit(tx, [Event(new_id(), event.tenant_id, NOTED, None, event.id, {}, str(tx.actor), tx.now)])


def reaction(
    name: str, verb: Verb = note, *, types: tuple[str, ...] = (HAPPENED,), lane: str = LANE
) -> Reaction:
    """One to each event of these types, in one transaction."""
    return Reaction(name, types, lane, in_one_transaction(verb), all_of)


@dataclass
class Desk:
    """The database, and what tests do with it. `db` has the reactions that `react` names."""

    url: str
    db: Database
    owner: asyncpg.Connection
    tenant_id: UUID

    @property
    def engine(self) -> Engine:
        return engine_over(self.db, self.db.before_commit)

    def react(self, *reactions: Reaction, immediate: Sequence[Immediate] = ()) -> None:
        """Events emitted through `db` cause jobs of these from now on."""
        self.db.before_commit = React(immediate, reactions)

    async def emit(
        self,
        number: int = 1,
        *,
        kind: str = HAPPENED,
        tenant_id: UUID | None = None,
        venue_id: UUID | None = None,
    ) -> list[Event]:
        """That many events, in one transaction."""
        events = [made(tenant_id or self.tenant_id, kind, venue_id=venue_id, n=n) for n in range(number)]
        await self.db.run(SYSTEM, emit, events)
        return events

    async def tenant_of(self, house: House) -> UUID:
        return await self.owner.fetchval("SELECT id FROM tenant WHERE slug = $1", house.tenant)

    async def count(self, what: str, *args: Any) -> int:
        return await self.owner.fetchval(f"SELECT count(*) FROM {what}", *args)

    async def noted(self) -> int:
        return await self.count("event WHERE event_type = $1", NOTED)

    async def drained(self) -> bool:
        return await self.count("job") == 0

    async def each_noted_once(self, number: int) -> bool:
        return await self.owner.fetchval(
            "SELECT count(*) = $1 AND count(DISTINCT subject_id) = $1 FROM event WHERE event_type = $2",
            number,
            NOTED,
        )

    async def take(self, *reactions: str, lease_s: float = 60.0) -> Job | None:
        """The next job, as a worker takes it."""
        return await self.db.run(SYSTEM, store.take, LANE, reactions or ("note",), lease_s=lease_s)

    async def leases_run_out(self) -> None:
        """As if the workers that have jobs had been silent for longer than their leases."""
        await self.owner.execute(RAN_OUT)

    @asynccontextmanager
    async def lane(
        self, *reactions: Reaction, name: str = LANE, db: Database | None = None, **how: Any
    ) -> AsyncIterator[asyncio.Event]:
        """Runs the jobs of the lane for the block, with quick retries and, unless `how` says otherwise, leases that do
        not run out meanwhile. Gives what stops it; it has ended when the block ends."""
        stopping = asyncio.Event()
        how = {"lease_s": 60.0, "retry_least_s": 0.001, **how}
        running = asyncio.create_task(
            Runner(name, self.engine.over(db or self.db), reactions, **how).run(stopping)
        )
        try:
            yield stopping
        finally:
            stopping.set()
            await asyncio.wait_for(running, SOON_S)

    @asynccontextmanager
    async def others(self, number: int) -> AsyncIterator[list[Database]]:
        """So many further pools of connections, as other workers have them; with the same reactions."""
        async with AsyncExitStack() as stack:
            pools: list[Database] = []
            for _ in range(number):
                pools.append(await connect(self.url, deadline_s=PATIENT_S))
                stack.push_async_callback(pools[-1].close)
                pools[-1].before_commit = self.db.before_commit
            yield pools

    @asynccontextmanager
    async def another(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection for somebody who takes long."""
        connection = await asyncpg.connect(self.url)
        try:
            yield connection
        finally:
            await connection.close()


@pytest.fixture(scope="session")
async def desk_url(server: Server) -> str:
    return await databases.new_database(server, "desk")


@pytest.fixture(scope="session")
async def app(desk_url: str, data_dir: Path) -> AsyncIterator[FastAPI]:
    """The application on the same database. Nobody listens, and its events are truncated: no live channels."""
    application = create_app(
        Settings(database_url=desk_url, data_dir=data_dir, live=False, request_deadline_s=PATIENT_S)
    )
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture(scope="session")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test/api/v1") as http:
        yield http


@pytest.fixture
async def desk(desk_url: str) -> AsyncIterator[Desk]:
    """The same database for each test, emptied."""
    async with desk_at(desk_url) as desk:
        yield desk
        await desk.owner.execute(EMPTY)


@asynccontextmanager
async def desk_at(url: str) -> AsyncIterator[Desk]:
    """The database with a tenant in it."""
    db = await connect(url, deadline_s=PATIENT_S)
    owner = await asyncpg.connect(url)
    await owner.execute("SET holdfast.tenants = '*'; SET lock_timeout = '60s'")
    tenant_id = new_id()

    async def add_tenant(tx: Tx) -> None:
        await insert_tenant(tx, id=tenant_id, slug=f"nord-{tenant_id.hex[-10:]}", name="Nord")

    await db.run(SYSTEM, add_tenant)
    yield Desk(url, db, owner, tenant_id)
    await owner.close()
    await db.close()
