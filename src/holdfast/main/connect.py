"""One connection to the database, or a sentence why not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

from holdfast.main.outcome import Failed

CONNECT_TIMEOUT_S = 10


@asynccontextmanager
async def connection_to(
    url: str, *, server_settings: Mapping[str, str] | None = None
) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the user of the URL, for the block. Raises `Failed` when there is none to be had."""
    try:
        connection = await asyncpg.connect(
            url, timeout=CONNECT_TIMEOUT_S, server_settings=dict(server_settings or {})
        )
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _unreachable(url, error) from error
    try:
        yield connection
    finally:
        await connection.close()


def _unreachable(url: str, error: Exception) -> Failed:
    # Not the URL itself: it may hold a password.
    parts = urlsplit(url)
    reason = str(error) or f"no answer within {CONNECT_TIMEOUT_S} s"
    return Failed(
        f"The database {parts.path[1:]} at {parts.hostname or 'a local socket'} can't be reached ({reason}): "
        "check HOLDFAST_DATABASE_URL, and that the server runs."
    )
