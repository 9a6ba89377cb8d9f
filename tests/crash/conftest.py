"""A database server of its own, which these tests harm, and an API on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.crowd import Crowd, crowd
from holdfast.audit.run import audit
from holdfast.kernel.db.tx import REQUEST_DEADLINE_S
from holdfast.kernel.embedded import EmbeddedPostgres, Server, create_database, create_login
from holdfast.main.process.migrate import migrate
from tests.conftest import FAST, House
from tests.databases import new_cluster
from tests.engines import connect
from tests.processes import PATIENT_S, Running, serving

# A server that is killed must have written what it acknowledged.
HARMED = {**FAST, "synchronous_commit": "on"}


@pytest.fixture(scope="session")
def crash_dir(data_dir: Path) -> Path:
    return data_dir / "crash"


@pytest.fixture(scope="session")
def postgres(crash_dir: Path) -> Iterator[EmbeddedPostgres]:
    """The server; whoever kills it starts it again."""
    new_cluster(crash_dir)
    server = EmbeddedPostgres(crash_dir, HARMED)
    yield server
    server.stop()


@pytest.fixture(scope="session")
async def crash_url(postgres: EmbeddedPostgres) -> str:
    server = postgres.start()
    assert await create_database(server)
    await migrate(server.url())
    await create_login(server)
    return server.url()


@pytest.fixture
def harmed(postgres: EmbeddedPostgres, crash_url: str) -> Server:
    """The server as it runs now."""
    return postgres.start()


@pytest.fixture(scope="session")
async def api(crash_url: str, data_dir: Path) -> AsyncIterator[Running]:
    """One for all tests: whatever they do to the database, it is never started again. Requests have the usual time."""
    async with serving(crash_url, data_dir, request_deadline_s=REQUEST_DEADLINE_S) as started:
        yield started


@pytest.fixture(scope="session")
async def client(api: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{api.port}/api/v1", timeout=None) as http:
        yield http


@pytest.fixture
async def clients(api: Running) -> AsyncIterator[Crowd]:
    async with crowd([api.port], 64) as all_:
        yield all_


@pytest.fixture
async def busy_house(open_house: Callable[..., Any]) -> House:
    """A venue where much can be booked at once."""
    return await open_house(
        resources=[{"slug": f"t{n:02}", "name": f"T{n}", "kind": "table", "seats_max": 4} for n in range(20)]
    )


async def audited(url: str) -> None:
    """Passes if everything in the database is as it must be."""
    database = await connect(url, deadline_s=PATIENT_S)
    try:
        report = await audit(database)
    finally:
        await database.close()
    assert report.ok, report.as_json()
