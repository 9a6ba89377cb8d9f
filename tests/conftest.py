"""What all tests share: one PostgreSQL for the session, one migrated database, the application, the cast.

Alice owns Nord (tenant `nord`), Bob works there, Gina is a guest of it; Charlie manages another tenant
and must see nothing.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
from fastapi import FastAPI

from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.config import Settings
from holdfast.kernel.db.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres, Server
from holdfast.kernel.ids import new_id
from holdfast.live import tail
from holdfast.main.http.app import create_app
from tests.alone import Alone
from tests.count import Count
from tests.databases import left_behind, new_cluster, new_database
from tests.engines import connect
from tests.processes import PATIENT_S
from tests.services import LeftOut
from tests.soak import pytest_collection_modifyitems as pytest_collection_modifyitems

# Nothing here survives the tests, and they restart the server when they mean to test durability.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}

POLL_S = tail.POLL_S
SELDOM_S = 0.5
"""The tail of live events reads so seldom where no test listens. Reading twenty times a second is 4 % of a core."""
LISTENING = {"contract", "live", "main", "restore"}


# Neither is about what a test looks for, and a slow machine fails both.
hypothesis.settings.register_profile(
    "holdfast", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("holdfast")


# All that collecting makes stays until the end: looking through it again and again for garbage is a tenth of it.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    tail.POLL_S = POLL_S if LISTENING & set(item.path.parts) else SELDOM_S


def pytest_configure(config: pytest.Config) -> None:
    if config.option.basetemp is None:
        # The usual one is shared by all runs of a user, and each closes it to others when it begins: also to the
        # user whom a database server of another run has become.
        config.option.basetemp = tempfile.mkdtemp(prefix="holdfast-pytest-")
        config.add_cleanup(partial(shutil.rmtree, config.option.basetemp, ignore_errors=True))
    for plugin in (Count, Alone, LeftOut):
        config.pluginmanager.register(plugin(config), f"tests.{plugin.__name__}")


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="holdfast-test-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def server(data_dir: Path) -> Iterator[Server]:
    new_cluster(data_dir)
    postgres = EmbeddedPostgres(data_dir, FAST)
    running = postgres.start()
    yield running
    try:
        with ThreadPoolExecutor() as beside_the_loop:
            assert beside_the_loop.submit(asyncio.run, left_behind(running)).result() == []
    finally:
        postgres.stop()


@pytest.fixture(scope="session")
async def database_url(server: Server) -> str:
    return await new_database(server, "holdfast")


@pytest.fixture(scope="session")
async def db(database_url: str) -> AsyncIterator[Database]:
    database = await connect(database_url, pool_max=20, deadline_s=PATIENT_S)
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def app(database_url: str, data_dir: Path) -> AsyncIterator[FastAPI]:
    settings = Settings(
        database_url=database_url, data_dir=data_dir, pool_max=20, request_deadline_s=PATIENT_S
    )
    application = create_app(settings)
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture(scope="session")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test/api/v1") as http:
        yield http


@dataclass
class House:
    """A tenant with one venue, and headers for those who come to it."""

    tenant: str
    venue: dict[str, Any]
    client: httpx.AsyncClient
    mint: Callable[..., str]
    resources: dict[str, str] = field(default_factory=dict)

    @property
    def venue_id(self) -> str:
        return self.venue["id"]

    def ids(self, *slugs: str) -> list[str]:
        return [self.resources[slug] for slug in slugs]

    def headers(self, *roles: str, subject: str, **claims: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {self.mint(self.tenant, roles, subject, **claims)}"}

    @property
    def alice(self) -> dict[str, str]:
        return self.headers("manager", subject="alice")

    @property
    def bob(self) -> dict[str, str]:
        return self.headers("staff", subject="bob")

    @property
    def gina(self) -> dict[str, str]:
        return self.headers("guest", subject="gina")

    async def book(self, headers: dict[str, str] | None = None, **wanted: Any) -> httpx.Response:
        body = {"venue_id": self.venue_id, "party_size": 2, **wanted}
        return await self.client.post(
            "/bookings", json=body, headers=self.bob if headers is None else headers
        )

    async def booked(self, headers: dict[str, str] | None = None, **wanted: Any) -> dict[str, Any]:
        response = await self.book(headers, **wanted)
        assert response.status_code == 201, response.text
        return response.json()

    async def change_policy(self, **policy: Any) -> None:
        """The venue with these rules beside the others of its document."""
        document = {**self.document, "policy": {**self.document.get("policy", {}), **policy}}
        await self.replace(document)

    async def replace(self, document: dict[str, Any]) -> None:
        response = await self.client.post("/venues/import", json=document, headers=self.alice)
        assert response.status_code in (200, 201), response.text
        self.document = document
        self.venue = response.json()
        self.resources = {each["slug"]: each["id"] for each in self.venue["resources"]}

    document: dict[str, Any] = field(default_factory=dict)


def venue_document(**changes: Any) -> dict[str, Any]:
    """Three tables in a row, a lane, and a section of ten units; open from 10 to 23 every day."""
    return {
        "slug": "osteria",
        "name": "Osteria Nord",
        "timezone": "Europe/Stockholm",
        "currency": "SEK",
        "policy": {"slot_step_minutes": 15, "default_duration_minutes": 90},
        "hours": {
            "weekly": [
                {"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": "10:00", "close": "23:00"}
            ]
        },
        "resources": [
            {
                "slug": "t1",
                "name": "T1",
                "kind": "table",
                "zone": "window",
                "seats_max": 2,
                "adjacent": ["t2"],
            },
            {
                "slug": "t2",
                "name": "T2",
                "kind": "table",
                "zone": "window",
                "seats_max": 4,
                "adjacent": ["t3"],
            },
            {"slug": "t3", "name": "T3", "kind": "table", "zone": "hall", "seats_max": 4},
            {"slug": "l1", "name": "L1", "kind": "lane", "seats_max": 8},
            {"slug": "s1", "name": "S1", "kind": "section", "seats_max": 6, "units": 10},
        ],
    } | changes


@pytest.fixture(scope="session")
def issuer(data_dir: Path) -> DevIssuer:
    return DevIssuer.load(data_dir)


async def open_house_at(client: httpx.AsyncClient, issuer: DevIssuer, **changes: Any) -> House:
    """A tenant of its own with one venue: tests don't meet each other's bookings."""
    slug = f"nord-{new_id().hex[-10:]}"
    admin = {"authorization": f"Bearer {issuer.mint(None, ['platform_admin'], 'root')}"}
    made = await client.post("/tenants", json={"slug": slug, "name": "Nord"}, headers=admin)
    assert made.status_code == 201, made.text
    house = House(slug, {}, client, issuer.mint)
    await house.replace(venue_document(**changes))
    return house


@pytest.fixture
def open_house(client: httpx.AsyncClient, issuer: DevIssuer) -> Callable[..., Any]:
    """Opens a house; keyword arguments change its document."""
    return partial(open_house_at, client, issuer)


@pytest.fixture
async def house(open_house: Callable[..., Any]) -> House:
    return await open_house()


@pytest.fixture
async def charlie(open_house: Callable[..., Any]) -> dict[str, str]:
    """Headers of the manager of another tenant."""
    other = await open_house()
    return other.headers("manager", subject="charlie")
