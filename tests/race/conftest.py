"""Two APIs and a worker, each a process, on one database of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from bench.crowd import Crowd, crowd
from holdfast.audit.run import audit
from holdfast.kernel.embedded import Server
from tests.databases import new_database
from tests.engines import connect
from tests.processes import PATIENT_S, Running, running, serving

CLIENTS = 64


@pytest.fixture(scope="session")
async def race_url(server: Server) -> str:
    url = await new_database(server, "race")
    owner = await asyncpg.connect(url)
    # Sooner than a transaction gives up waiting for a lock, so that whoever waits in a circle is found out.
    await owner.execute("ALTER DATABASE race SET deadlock_timeout = '20ms'")
    await owner.close()
    return url


@pytest.fixture(scope="session")
async def apis(race_url: str, data_dir: Path) -> AsyncIterator[list[Running]]:
    async with serving(race_url, data_dir) as one, serving(race_url, data_dir) as other:
        yield [one, other]


@pytest.fixture(scope="session")
async def worker(race_url: str, data_dir: Path) -> AsyncIterator[Running]:
    settings = {"database_url": race_url, "data_dir": data_dir, "unsafe_database": 1}
    async with running("work", log=data_dir / "race-work.log", **settings) as started:
        yield started


@pytest.fixture(scope="session")
async def client(apis: list[Running]) -> AsyncIterator[httpx.AsyncClient]:
    """For what is prepared: `house` and its like come over HTTP here."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{apis[0].port}/api/v1", timeout=None) as http:
        yield http


@pytest.fixture
async def one_server(apis: list[Running]) -> AsyncIterator[Crowd]:
    async with crowd([apis[0].port], CLIENTS) as clients:
        yield clients


@pytest.fixture
async def two_servers(apis: list[Running]) -> AsyncIterator[Crowd]:
    async with crowd([api.port for api in apis], CLIENTS) as clients:
        yield clients


@pytest.fixture(params=["one_server", "two_servers"])
def everybody(request: pytest.FixtureRequest) -> Crowd:
    """The clients, at one server and then at two."""
    return request.getfixturevalue(request.param)


@pytest.fixture
async def owner(race_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's connection."""
    connection = await asyncpg.connect(race_url)
    yield connection
    await connection.close()


@pytest.fixture(autouse=True)
async def calm(race_url: str, server: Server) -> AsyncIterator[None]:
    """After every race the books are right, and PostgreSQL has not had to break a deadlock."""
    log = server.data_dir / "postgres.log"
    said = log.stat().st_size
    yield
    database = await connect(race_url, deadline_s=PATIENT_S)
    try:
        report = await audit(database)
    finally:
        await database.close()
    assert report.ok, report.as_json()
    with log.open("rb") as text:
        text.seek(said)
        assert b"deadlock detected" not in text.read()
