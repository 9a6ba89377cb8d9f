"""A database of its own: what is numbered here is written here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest

from holdfast.kernel.db.database import Database
from holdfast.kernel.embedded import Server
from tests.databases import new_database
from tests.engines import connect
from tests.processes import PATIENT_S


@pytest.fixture(scope="session")
async def event_url(server: Server) -> str:
    return await new_database(server, "events")


@pytest.fixture
async def db(event_url: str) -> AsyncIterator[Database]:
    database = await connect(event_url, deadline_s=PATIENT_S)
    yield database
    await database.close()


@pytest.fixture
async def owner(event_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser who sees all tenants."""
    connection = await asyncpg.connect(event_url, server_settings={"holdfast.tenants": "*"})
    yield connection
    await connection.close()


@pytest.fixture
def another(event_url: str) -> Callable[..., object]:
    """Opens a connection for somebody else, to this database or to another of the server."""

    @asynccontextmanager
    async def open_one(url: str = event_url) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(url, server_settings={"holdfast.tenants": "*"})
        try:
            yield connection
        finally:
            await connection.close()

    return open_one
