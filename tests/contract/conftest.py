"""The API that the tests of this folder ask, as a process of its own, and its two documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from fastapi import FastAPI

from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.config import Settings
from holdfast.kernel.db.database import Database
from holdfast.kernel.embedded import Server
from holdfast.kernel.encode import encode
from holdfast.main.asyncapi.document import asyncapi
from holdfast.main.http.app import create_app
from tests.conftest import open_house_at, venue_document

from .leaves import MAP_KEY
from .nord import Nord
from .served import Api, served


@pytest.fixture(scope="session")
async def api(server: Server, data_dir: Path, issuer: DevIssuer) -> AsyncIterator[Api]:
    async with served(server, data_dir, issuer, database="contract") as api:
        yield api


@pytest.fixture(scope="session")
def openapi() -> dict[str, Any]:
    """The OpenAPI document. Its operations are the keys of `rules.THEIRS`, as test_isolation.py sees to."""
    return create_app(Settings()).openapi()


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """The AsyncAPI document."""
    return orjson.loads(encode(asyncapi()))


@pytest.fixture(scope="session")
async def house_owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def arrange_roomy(
    app: FastAPI, client: Any, issuer: DevIssuer, db: Database, house_owner: asyncpg.Connection
) -> Callable[[], Awaitable[Nord]]:
    """Makes a Nord that is always open, takes any number of parties, and has all that a request may ask for."""

    async def arranged() -> Nord:
        document = venue_document()
        roomy = [{**each, "units": 1000} for each in document["resources"]]
        roomy[-1]["group"] = "double-sea"
        sold = {
            "extras": [{"id": "a", "name": "A", "amount": "1.00", "per": "booking"}],
            "discounts": [{"code": "a", "percent": 10}],
        }
        house = await open_house_at(
            client,
            issuer,
            hours={"weekly": []},
            resources=roomy,
            policy=document["policy"] | sold,
            questions=[{"id": MAP_KEY, "label": "Colour", "type": "text"}],
        )
        return await Nord.of(app, house, db=db, owner=house_owner, charlie={})

    return arranged


@pytest.fixture(scope="session")
async def roomy(arrange_roomy: Callable[[], Awaitable[Nord]]) -> Nord:
    """For operations that only read."""
    return await arrange_roomy()
