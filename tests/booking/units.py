"""What tests of units share: a database that is audited after each of them, and what they ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.audit.run import audit
from holdfast.kernel.db.database import Database
from holdfast.kernel.embedded import Server
from tests.audit.conftest import serving
from tests.conftest import House
from tests.databases import new_database

from .asking import DAY

_numbers = count(1)
Served = tuple[str, httpx.AsyncClient, Database]


@pytest.fixture(scope="module")
async def served(server: Server, data_dir: Path) -> AsyncIterator[Served]:
    """A database of its own, which is audited: in the shared one other tests have moved time."""
    url = await new_database(server, f"units_{next(_numbers)}")
    async with serving(url, data_dir) as (client, db):
        yield url, client, db


@pytest.fixture
def database_url(served: Served) -> str:
    return served[0]


@pytest.fixture
def client(served: Served) -> httpx.AsyncClient:
    return served[1]


@pytest.fixture
def db(served: Served) -> Database:
    return served[2]


@pytest.fixture(autouse=True)
async def sound(served: Served) -> AsyncIterator[None]:
    """After each test the books are right."""
    yield
    report = await audit(served[2])
    assert report.ok, [(each.check.name, each.violations[:3]) for each in report.failed]


def floor(units: int, **more: Any) -> dict[str, Any]:
    return {"slug": "floor", "name": "Floor", "kind": "section", "seats_max": 6, "units": units, **more}


async def day(house: House, *, minutes: int) -> set[str]:
    params = {"date": DAY.isoformat(), "party_size": 2, "duration_minutes": minutes}
    response = await house.client.get(f"/venues/{house.venue_id}/availability/day", params=params)
    return {each["start"] for each in response.json()["starts"]}
