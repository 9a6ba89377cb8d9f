"""A server of its own for the tests of live streams: they need real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from tests.booking.asking import DAY
from tests.conftest import House
from tests.processes import Running, serving


@pytest.fixture(scope="session")
async def api(database_url: str, data_dir: Path) -> AsyncIterator[Running]:
    """`holdfast serve` on a port of its own, on the same database."""
    async with serving(database_url, data_dir) as running:
        yield running


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees everything."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


def bookings_channel(house: House) -> str:
    return f"chain.bookings.{house.tenant}.{house.venue['slug']}"


def slot_channel(house: House, *, days: int = 0, slot: str = "day") -> str:
    return f"availability:{house.tenant}:{house.venue['slug']}:{DAY + timedelta(days=days)}:{slot}"


def staff(house: House) -> str:
    return house.mint(house.tenant, ["staff"], "bob")
