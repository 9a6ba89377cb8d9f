"""Opens one connection to the database, or says why it can't."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from holdfast.main.process.outcome import Failed

CONNECT_TIMEOUT_S = 10
STARTING_TIMEOUT_S = 30
RETRY_S = 0.2


@asynccontextmanager
async def connection_to(
    url: str, *, server_settings: Mapping[str, str] | None = None
) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the URL's user, for the block. Waits for a server that is still starting.

    Raises `Failed` if it can't connect.
    """
    try:
        connection = await _connect(url, server_settings=dict(server_settings or {}))
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _unreachable(url, error) from error
    try:
        yield connection
    finally:
        await connection.close()


async def _connect(url: str, **options: Any) -> asyncpg.Connection:
    deadline = time.monotonic() + STARTING_TIMEOUT_S
    while True:
        try:
            return await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S, **options)
        except asyncpg.CannotConnectNowError:
            # It is starting or recovering from a crash.
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(RETRY_S)


def _unreachable(url: str, error: Exception) -> Failed:
    # Not the URL itself: it may hold a password.
    parts = urlsplit(url)
    reason = str(error) or f"no answer within {CONNECT_TIMEOUT_S} s"
    return Failed(
        f"The database {parts.path[1:]} at {parts.hostname or 'a local socket'} can't be reached ({reason}): "
        "check HOLDFAST_DATABASE_URL and that the server is running."
    )
