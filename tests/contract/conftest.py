"""The API that the tests of this folder ask, as a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.embedded import Server

from .served import Api, served


@pytest.fixture(scope="session")
async def api(server: Server, data_dir: Path, issuer: DevIssuer) -> AsyncIterator[Api]:
    async with served(server, data_dir, issuer, database="contract") as api:
        yield api
