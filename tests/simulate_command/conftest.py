"""A database of its own for each simulation: what is audited is what was simulated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count

import asyncpg
import pytest

from holdfast.kernel.embedded import Server
from holdfast.main.ticks import TICKS
from holdfast.simulate.run import Scenario, Simulated, simulate
from tests.databases import new_database
from tests.engines import connect, engine_over
from tests.processes import PATIENT_S

_numbers = count(1)

Play = Callable[..., Awaitable[Simulated]]


def nothing(_days: float) -> None:
    return None


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the tests' common database that nothing is forbidden."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def play(server: Server) -> AsyncIterator[Play]:
    """Simulates on a new database: `play(seed, faults=True, guests=100)`."""
    async with AsyncExitStack() as opened:

        async def playing(seed: int, *, days: int = 1, faults: bool = False, guests: int = 60) -> Simulated:
            url = await new_database(server, f"simulated_{next(_numbers)}")
            database = await connect(url, pool_max=3, deadline_s=PATIENT_S)
            opened.push_async_callback(database.close)
            asked = Scenario(seed, "test", days=days, faults=faults, guests=guests)
            return await simulate(engine_over(database), url, asked, ticks=TICKS, passed=nothing)

        yield playing
