"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

import asyncio

import asyncpg
from fastapi import APIRouter, Request, Response

from holdfast.kernel.errors import Overloaded
from holdfast.kernel.http import answer

ANSWER_TIMEOUT_S = 1.0
NAME = {"application_name": "holdfast readyz"}

router = APIRouter(tags=["Operations"])


class NotReady(Overloaded):
    """The service can't take requests yet."""


class Probe:
    """Asks the database by a connection of its own, so that a busy pool can't make it look dead."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: asyncpg.Connection | None = None
        self._one_at_a_time = asyncio.Lock()

    async def missing(self) -> str | None:
        """What is not there: `database`, `schema` or None; within ANSWER_TIMEOUT_S."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S), self._one_at_a_time:
                migrated = await self._ask()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self.close()
            return "database"
        return None if migrated else "schema"

    async def _ask(self) -> bool:
        conn = self._conn
        if conn is None or conn.is_closed():
            conn = self._conn = await asyncpg.connect(self._url, server_settings=NAME)
        return bool(await conn.fetchval("SELECT to_regclass('booking') IS NOT NULL"))

    def close(self) -> None:
        """Lets go of the connection; the next question opens another."""
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None


_MISSING = {
    "database": "The database does not answer.",
    "schema": "The database is not migrated: run holdfast migrate.",
}


@router.get("/healthz", summary="Whether the process lives")
async def get_healthz() -> Response:
    """Always 200 while the process can answer at all; asks nobody else."""
    return answer({"status": "alive"})


@router.get("/readyz", summary="Whether it can serve requests")
async def get_readyz(request: Request) -> Response:
    """200 when the database answers and is migrated, or else 503 with `missing`."""
    missing = await request.app.state.probe.missing()
    if missing is not None:
        raise NotReady(_MISSING[missing], missing=[missing])
    return answer({"status": "ready"})
