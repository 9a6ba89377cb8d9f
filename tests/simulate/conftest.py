"""A database of its own for the simulation, so that the audit is about its bookings alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.kernel.embedded import Server
from tests.databases import new_database

from .world import World


@pytest.fixture(scope="session")
async def simulated_url(server: Server) -> str:
    return await new_database(server, "simulated")


@pytest.fixture(scope="package")
def world(simulated_url: str) -> Iterator[World]:
    world = World(simulated_url)
    yield world
    world.close()
