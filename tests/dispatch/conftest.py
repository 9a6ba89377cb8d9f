"""A database of its own with nothing in it but what these tests emit, and a worker on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from holdfast.dispatch.dispatch import DISPATCHER_LOCK, dispatch
from holdfast.dispatch.jobs import Jobs
from holdfast.dispatch.reaction import Delivery, Reaction, Tools
from holdfast.kernel.events import Event

from holdfast.kernel import events
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.config import Settings
from holdfast.kernel.db import Database
from holdfast.kernel.embedded import Server
from holdfast.kernel.ids import new_id
from holdfast.kernel.tx import Tx
from holdfast.main.http import create_app
from holdfast.place.places import Places
from holdfast.place.tenant_store import insert_tenant
from holdfast.port.pricing import LocalPricing
from tests import databases
from tests.conftest import House
from tests.processes import PATIENT_S, SOON_S, until

HAPPENED = "test.happened"
EMPTY = """
    TRUNCATE event, dead_letter, delivery, event_cursor, event_purge,
             pgqueuer.pgqueuer, pgqueuer.pgqueuer_log, pgqueuer.pgqueuer_statistics
"""
INSERT = """
    INSERT INTO event (tenant_id, id, event_type, subject_id, payload, actor, created_at)
    VALUES ($1, gen_random_uuid(), $2, $1, '{}', 'system', now()) RETURNING id::text
"""
_numbers = count(1)


@dataclass
class Desk:
    """The database, and what tests do with it."""

    url: str
    db: Database
    owner: asyncpg.Connection
    tenant_id: UUID
    tools: Tools = field(init=False)

    def __post_init__(self) -> None:
        self.tools = Tools(Places(self.db), LocalPricing())

    async def emit(
        self,
        number: int = 1,
        *,
        kind: str = HAPPENED,
        tenant_id: UUID | None = None,
        venue_id: str | None = None,
    ) -> list[Event]:
        """That many events, in one transaction."""
        tenant, venue = tenant_id or self.tenant_id, venue_id and UUID(venue_id)
        made = [
            Event(new_id(), tenant, kind, venue or None, new_id(), {"n": n}, "system", datetime.now(UTC))
            for n in range(number)
        ]
        await self.db.run(SYSTEM, events.emit, made)
        return made

    async def tenant_of(self, house: House) -> UUID:
        return await self.owner.fetchval("SELECT id FROM tenant WHERE slug = $1", house.tenant)

    async def dispatch(self, reactions: Sequence[Reaction], limit: int = 500) -> int:
        call = self.db.call(SYSTEM, try_locks=[DISPATCHER_LOCK])
        return await call.run(dispatch, reactions, limit)

    async def dispatch_all(self, reactions: Sequence[Reaction]) -> None:
        """Until the cursor is behind all there is; others in the same server may hold the horizon."""
        last = await self.owner.fetchval("SELECT max(seq) FROM event")

        async def is_past() -> bool:
            await self.dispatch(reactions)
            return await self.count("event_cursor WHERE name = 'reactions' AND seq >= $1", last) == 1

        await until(is_past)

    async def count(self, what: str, *args: Any) -> int:
        return await self.owner.fetchval(f"SELECT count(*) FROM {what}", *args)

    async def queued(self) -> int:
        return await self.count("pgqueuer.pgqueuer")

    async def drained(self) -> bool:
        return not await self.queued()

    @asynccontextmanager
    async def another(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection for somebody who takes long."""
        connection = await asyncpg.connect(self.url)
        try:
            yield connection
        finally:
            await connection.close()

    def delivery(self, event: Event, reaction: str) -> Delivery:
        return Delivery(event.tenant_id, event.id, event.venue_id, reaction)

    @asynccontextmanager
    async def jobs(self, *reactions: Reaction) -> AsyncIterator[asyncio.Event]:
        """Runs jobs for the block, with quick retries; they have ended when it ends. Gives what stops them."""
        stopping = asyncio.Event()
        jobs = Jobs(self.db, reactions, self.tools, retry_least_s=0.001)
        running = asyncio.create_task(jobs.run(self.url, stopping))
        try:
            yield stopping
        finally:
            stopping.set()
            await asyncio.wait_for(running, SOON_S)


@pytest.fixture
def new_database(server: Server) -> Callable[[], Awaitable[str]]:
    """Makes a migrated database, and answers its URL."""

    async def make() -> str:
        return await databases.new_database(server, f"dispatch_{next(_numbers)}")

    return make


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
async def desk(desk_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """The same database for each test, emptied."""
    monkeypatch.setattr("holdfast.dispatch.jobs.LOOK_S", 0.1)
    async with desk_at(desk_url) as desk:
        yield desk
        await desk.owner.execute(EMPTY)


@asynccontextmanager
async def desk_at(url: str) -> AsyncIterator[Desk]:
    """The database with a tenant in it."""
    db = await Database.connect(url, deadline_s=PATIENT_S)
    owner = await asyncpg.connect(url)
    await owner.execute("SET holdfast.tenants = '*'; SET lock_timeout = '5s'")
    tenant_id = new_id()

    async def add_tenant(tx: Tx) -> None:
        await insert_tenant(tx, id=tenant_id, slug=f"nord-{tenant_id.hex[-10:]}", name="Nord")

    await db.run(SYSTEM, add_tenant)
    yield Desk(url, db, owner, tenant_id)
    await owner.close()
    await db.close()
