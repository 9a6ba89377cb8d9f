"""Opens one connection to the database, or says why it can't."""

from __future__ import annotations

import asyncio
import os
import re
import socket
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
CHECK = "check HOLDFAST_DATABASE_URL and that the server is running"
ADDRESS = "write HOLDFAST_DATABASE_URL as postgresql://user:password@host:5432/holdfast"
NOT_POSTGRESQL = "what listens there doesn't answer as PostgreSQL does"
TEXT_CHARS_MAX = 300

FIXES: tuple[tuple[type[asyncpg.PostgresError], str], ...] = (
    (asyncpg.InvalidPasswordError, "correct the user and the password in HOLDFAST_DATABASE_URL"),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        "correct the user and the password in HOLDFAST_DATABASE_URL, or let this user in (pg_hba.conf)",
    ),
    (asyncpg.InvalidCatalogNameError, "create the database, or correct its name in HOLDFAST_DATABASE_URL"),
    (
        asyncpg.InsufficientPrivilegeError,
        "grant the user CONNECT on the database, or check HOLDFAST_DATABASE_URL",
    ),
    (asyncpg.TooManyConnectionsError, "raise max_connections of the server, or stop what uses them"),
)


@asynccontextmanager
async def connection_to(
    url: str, *, server_settings: Mapping[str, str] | None = None, fix: str | None = None
) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the URL's user, for the block. Waits for a server that is still starting.

    `fix`: what to do if it can't connect; by default what the failure suggests for HOLDFAST_DATABASE_URL. Raises
    `Failed` if it can't connect.
    """
    try:
        connection = await _connect(url, server_settings=dict(server_settings or {}))
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise _unreachable(url, error, fix) from error
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


def _unreachable(url: str, error: Exception, fix: str | None) -> Failed:
    # Not the URL itself: it may hold a password.
    parts = urlsplit(url)
    reason, usual = why_not(error)
    where = f"The database {parts.path[1:]} at {parts.hostname or 'a local socket'}"
    return Failed(f"{where} can't be reached ({reason}): {fix or usual}.")


def why_not(error: Exception) -> tuple[str, str]:
    """Returns the reason why a connection failed, and what to do. Never Python's own words."""
    if isinstance(error, asyncpg.ConnectionDoesNotExistError):
        return NOT_POSTGRESQL, CHECK
    if isinstance(error, asyncpg.PostgresError):
        fixes = [fix for kind, fix in FIXES if isinstance(error, kind)]
        return _short(str(error)), fixes[0] if fixes else CHECK
    if isinstance(error, asyncpg.ClientConfigurationError):
        return _short(str(error)), CHECK
    if isinstance(error, OSError):
        return _of_the_system(error), CHECK
    if isinstance(error, ValueError):
        return "its address is malformed", ADDRESS
    return NOT_POSTGRESQL, CHECK


def _of_the_system(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "the name of its host is unknown"
    # Of several addresses, the reasons are in the text alone.
    found = re.search(r"\[Errno (\d+)\]", str(error))
    number = error.errno or (int(found[1]) if found else 0)
    if isinstance(error, TimeoutError) and not number:
        return f"no answer within {CONNECT_TIMEOUT_S} s"
    if number:
        return os.strerror(number).lower()
    rejected = re.search(r"PostgreSQL server .* rejected SSL upgrade", str(error))
    return "the server accepts no TLS" if rejected else NOT_POSTGRESQL


def _short(text: str) -> str:
    return " ".join(text.split())[:TEXT_CHARS_MAX]
