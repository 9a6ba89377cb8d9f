"""A database of its own with every kind of booking in it, to do harm to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import asyncpg
import httpx
import pytest

from holdfast.event.number import Numberer
from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.config import Settings
from holdfast.kernel.db.database import Database
from holdfast.kernel.embedded import Server
from holdfast.main.http.app import create_app
from tests.audit.bookings import fill
from tests.databases import new_database
from tests.engines import connect
from tests.processes import PATIENT_S

_numbers = count(1)


@asynccontextmanager
async def serving(url: str, data_dir: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Database]]:
    """A client of the API on that database, and connections for what a worker does."""
    app = create_app(Settings(database_url=url, data_dir=data_dir, pool_max=20, request_deadline_s=PATIENT_S))
    worker = await connect(url, deadline_s=PATIENT_S)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as client:
            yield client, worker
    await worker.close()


@pytest.fixture(scope="session")
async def filled(server: Server, data_dir: Path, issuer: DevIssuer) -> str:
    """The name of a database with bookings of every kind, to which nobody is connected."""
    url = await new_database(server, "audit_filled")
    async with serving(url, data_dir) as (client, db):
        await fill(client, db, issuer)
        await Numberer(db).number()
    return "audit_filled"


@pytest.fixture
async def copy(server: Server, filled: str) -> AsyncIterator[str]:
    """The URL of a copy of the filled database, for one test that commits."""
    async with copied(server, filled) as url:
        yield url


@asynccontextmanager
async def copied(server: Server, template: str) -> AsyncIterator[str]:
    name = f"audit_{next(_numbers)}"
    yield await new_database(server, name, like=template)
    connection = await asyncpg.connect(server.url("postgres"))
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture(scope="session")
async def sound(server: Server, filled: str) -> AsyncIterator[str]:
    """The URL of a copy that no test changes for good."""
    async with copied(server, filled) as url:
        yield url


@pytest.fixture(scope="session")
async def superuser(sound: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the sound database that nothing is forbidden."""
    connection = await asyncpg.connect(sound)
    yield connection
    await connection.close()


@pytest.fixture
async def harmed(superuser: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """The same in a transaction that is rolled back: harm done in it is seen by `audit_here`, and then undone."""
    transaction = superuser.transaction(isolation="repeatable_read")
    await transaction.start()
    yield superuser
    await transaction.rollback()
