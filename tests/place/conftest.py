"""A real database, the routes of places on it, and the cast: Alice manages a tenant, Bob works there,
Charlie manages another one and must see nothing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI, Request

from holdfast.identity.roles import anonymous, expand
from holdfast.kernel.actor import SYSTEM, Actor
from holdfast.kernel.db import Database
from holdfast.kernel.embedded import create_database, embedded
from holdfast.kernel.ids import new_id
from holdfast.main.openapi import document
from holdfast.main.refusals import answer_refusals
from holdfast.place.create_tenant import create_tenant
from holdfast.place.places import Places
from holdfast.place.routes import router
from holdfast.place.tenant import Tenant

SCHEMA = Path(__file__).parents[2] / "schema.sql"
SETTINGS = {"shared_buffers": "32MB", "max_connections": "40", "fsync": "off"}
Ask = Callable[..., Awaitable[httpx.Response]]
_number = count(1)


@pytest.fixture(scope="session")
async def owner_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The owner's way to a database with the schema in it."""
    with embedded(tmp_path_factory.mktemp("places") / "data", SETTINGS) as server:
        await create_database(server)
        connection = await asyncpg.connect(server.url())
        await connection.execute(SCHEMA.read_text())
        await connection.close()
        yield server.url()


@pytest.fixture(scope="session")
async def db(owner_url: str) -> AsyncIterator[Database]:
    found = await Database.connect(owner_url, pool_max=12, acquire_timeout_s=10)
    yield found
    await found.close()


@dataclass(frozen=True)
class Cast:
    """Who plays; each test has its own."""

    nord: Tenant
    syd: Tenant
    alice: Actor
    bob: Actor
    gustav: Actor
    charlie: Actor
    platform: Actor
    nobody: Actor = anonymous()

    def limited(self, *venue_ids: Any) -> Actor:
        """Alice with a token for certain venues alone."""
        return replace(self.alice, venue_ids=frozenset(venue_ids))


@pytest.fixture
async def cast(db: Database) -> Cast:
    number = next(_number)
    nord = await db.run(SYSTEM, create_tenant, f"nord-{number}", "Nord")
    syd = await db.run(SYSTEM, create_tenant, f"syd-{number}", "Syd")
    return Cast(
        nord=nord,
        syd=syd,
        alice=_actor("alice", nord, "manager"),
        bob=_actor("bob", nord, "staff"),
        gustav=Actor(kind="guest", id="gustav", tenant_ids=(nord.id,), roles=frozenset({"guest"})),
        charlie=_actor("charlie", syd, "manager"),
        platform=Actor(kind="staff", id="root", tenant_ids=None, roles=expand({"platform_admin"})),
    )


def _actor(name: str, tenant: Tenant, role: str) -> Actor:
    return Actor(kind="staff", id=name, tenant_ids=(tenant.id,), roles=expand({role}))


@pytest.fixture(scope="session")
def app(db: Database) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None)
    app.state.db, app.state.places = db, Places(db)
    app.include_router(router, prefix="/api/v1")
    answer_refusals(app)
    app.openapi = document(app)
    return app


@pytest.fixture
async def ask(app: FastAPI) -> AsyncIterator[Ask]:
    """One request by somebody: `await ask(alice, "GET", "/venues")`."""

    async def asked(who: Actor, method: str, path: str, **kwargs: Any) -> httpx.Response:
        async def named(scope: Any, receive: Any, send: Any) -> None:
            await app(scope | {"state": {"actor": who, "request_id": new_id()}}, receive, send)

        where = httpx.ASGITransport(named, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=where, base_url="http://test/api/v1") as client:
            return await client.request(method, path, **kwargs)

    yield asked


@pytest.fixture
def osteria() -> dict[str, Any]:
    """A restaurant's document, to be changed by the test."""
    return {
        "slug": "osteria-nord",
        "name": "Osteria Nord",
        "timezone": "Europe/Stockholm",
        "currency": "SEK",
        "policy": {"buffer_after_minutes": 10, "price_rules": [{"per": "guest", "amount": "95.50"}]},
        "hours": {
            "weekly": [{"days": ["FR", "SA"], "open": "18:00", "close": "02:00"}],
            "exceptions": [{"date": "2026-12-24", "closed": True}],
        },
        "slots": [{"id": "late", "name": "Late", "days": ["FR"], "start": "21:00", "minutes": 120}],
        "resources": [
            {"slug": "t1", "name": "T1", "zone": "window", "seats_max": 2, "adjacent": ["t2"]},
            {
                "slug": "t2",
                "seats_min": 2,
                "seats_max": 4,
                "position": {"x": 40, "y": 12.5, "shape": "round"},
            },
            {"slug": "bar", "kind": "section", "units": 10, "seats_max": 1, "attributes": {"stools": True}},
        ],
    }
