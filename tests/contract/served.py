"""An API as a process of its own, with a database of its own: what it logs can be read, what it keeps broken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.embedded import Server
from tests.conftest import House, open_house_at
from tests.databases import new_database
from tests.processes import Running, serving


@dataclass(frozen=True)
class Api:
    """The process, its database, and a client of it; `issuer` makes its tokens."""

    process: Running
    database_url: str
    client: httpx.AsyncClient
    issuer: DevIssuer

    @property
    def url(self) -> str:
        """Where the paths of the OpenAPI document begin."""
        return f"http://127.0.0.1:{self.process.port}"

    async def house(self, **changes: Any) -> House:
        """A tenant of its own with one venue."""
        return await open_house_at(self.client, self.issuer, **changes)


@asynccontextmanager
async def served(
    server: Server, data_dir: Path, issuer: DevIssuer, *, database: str, **settings: Any
) -> AsyncIterator[Api]:
    """It serves for the block, on a new database of that name."""
    url = await new_database(server, database)
    async with serving(url, data_dir, **settings) as process:
        base_url = f"http://127.0.0.1:{process.port}/api/v1"
        async with httpx.AsyncClient(base_url=base_url, timeout=None) as client:
            yield Api(process, url, client, issuer)
