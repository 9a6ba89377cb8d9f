"""The database of a command: the one in HOLDFAST_DATABASE_URL, or the embedded one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import structlog

from holdfast.kernel.config import Settings
from holdfast.kernel.db.database import Database
from holdfast.kernel.embedded import (
    EmbeddedPostgres,
    EmbeddedPostgresError,
    Server,
    create_database,
    create_login,
)
from holdfast.kernel.embedded.watch import is_server
from holdfast.main.process.connect import connection_to
from holdfast.main.process.migrate import check_revision, migrate, migrate_back, newest, revision_of
from holdfast.main.process.safety import check_database, check_known

T = TypeVar("T")
LOOK_EVERY_S = 0.25
RETRY_S_MIN = 0.5
RETRY_S_MAX = 5.0

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The settings' database, running, migrated and checked; closed after the block. See `find_known_database`."""
    async with find_known_database(settings) as url, _connected(url, settings) as database:
        yield database


@asynccontextmanager
async def existing_database(settings: Settings) -> AsyncIterator[Database]:
    """The settings' database as it is: for commands that read, or change only what is already there.

    It starts the embedded server if it is not running, but creates and migrates nothing. Raises `Failed` or
    EmbeddedPostgresError, which say what is missing, if there is no database or its schema is older or newer than this
    code.
    """
    async with _existing_url(settings) as (url, fix):
        async with connection_to(url, fix=fix) as connection:
            await check_known(connection)
            await check_database(connection, unsafe=settings.unsafe_database)
        async with _connected(url, settings) as database:
            yield database


@asynccontextmanager
async def _connected(url: str, settings: Settings) -> AsyncIterator[Database]:
    database = await Database.connect(url, pool_max=settings.pool_max)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _existing_url(settings: Settings) -> AsyncIterator[tuple[str, str | None]]:
    if settings.database_url:
        yield settings.database_url, None
        return
    async with existing_server(settings) as server:
        yield server.app_url(), _fix(settings)


def _fix(settings: Settings) -> str:
    return f"run holdfast migrate --data-dir {settings.data_dir}"


@asynccontextmanager
async def find_known_database(settings: Settings) -> AsyncIterator[str]:
    """The same as `find_database`. Raises `Failed` also if the schema is newer than this code, so that what it reports
    is true."""
    async with find_database(settings) as url:
        async with connection_to(url) as connection:
            await check_known(connection)
        yield url


@asynccontextmanager
async def find_database(settings: Settings) -> AsyncIterator[str]:
    """The URL of a database that is running, migrated and checked.

    1. With `database_url`: raises `Failed` unless the schema is current (`holdfast migrate`).
    2. Without: starts the embedded server of `data_dir` unless it is running, and creates and migrates the database as
       needed. After the block it stops the server unless another process uses it.
    """
    if settings.database_url:
        await check(settings.database_url, settings)
        yield settings.database_url
        return
    async with embedded_server(settings) as (_, server):
        yield await prepare(server, settings)


@asynccontextmanager
async def embedded_server(settings: Settings) -> AsyncIterator[tuple[EmbeddedPostgres, Server]]:
    """The running embedded server, for the block. Its databases are not checked."""
    postgres = EmbeddedPostgres(settings.data_dir)
    try:
        yield postgres, await in_thread(postgres.start)
    finally:
        await in_thread(postgres.release)


@asynccontextmanager
async def existing_server(settings: Settings) -> AsyncIterator[Server]:
    """The embedded server of a cluster that exists, running, for the block. Raises EmbeddedPostgresError if there is no
    such cluster, and creates none."""
    postgres = EmbeddedPostgres(settings.data_dir)
    try:
        yield await in_thread(postgres.join)
    finally:
        await in_thread(postgres.release)


async def prepare(server: Server, settings: Settings) -> str:
    """Creates, migrates and checks the database `holdfast` on that server; returns its URL.

    The superuser creates and migrates it; the URL is for the application's plain login role.
    """
    await create_database(server)
    await migrate(server.url())
    await create_login(server)
    await check(server.app_url(), settings)
    return server.app_url()


async def check(url: str, settings: Settings) -> None:
    """Raises `Failed` unless the database can be reached and is fit for use."""
    async with connection_to(url) as connection:
        await check_database(connection, unsafe=settings.unsafe_database)


async def in_thread(blocking: Callable[[], T]) -> T:
    """Runs a blocking call in a thread. A thread can't be interrupted, so cancellation waits for it to end."""
    running = asyncio.ensure_future(asyncio.to_thread(blocking))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


async def migrate_command(settings: Settings, *, down_to: str | None) -> str:
    """Migrates the database of `database_url` or the embedded one; returns a sentence that says what was done."""
    if down_to is not None:
        check_revision(down_to)
        async with _owned_url(settings) as (url, fix):
            await migrate_back(url, to=down_to, fix=fix)
        return f"The schema is back at revision {down_to}."
    if settings.database_url:
        return await _migrate(settings.database_url)
    async with embedded_server(settings) as (_, server):
        await create_database(server)
        said = await _migrate(server.url())
        await create_login(server)
        return said


@asynccontextmanager
async def _owned_url(settings: Settings) -> AsyncIterator[tuple[str, str | None]]:
    """The URL of a database that exists, for the user who owns its tables."""
    if settings.database_url:
        yield settings.database_url, None
        return
    async with existing_server(settings) as server:
        yield server.url(), _fix(settings)


async def _migrate(url: str) -> str:
    if await migrate(url):
        return f"The schema is now at revision {newest()}."
    async with connection_to(url) as connection:
        found = await revision_of(connection)
    if found == newest():
        return f"The schema is already at revision {found}."
    return f"The schema is at revision {found}, newer than this version of Holdfast ({newest()}), and stays as it is."


async def keep_server(postgres: EmbeddedPostgres, server: Server) -> None:
    """Restarts the server under the same URL whenever its process has ended; until cancelled.

    No commits are lost: PostgreSQL recovers them from its WAL.
    """
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if not is_server(server.pid, postgres.layout.cluster):
            log.error("database_ended", pid=server.pid)
            server = await _started(postgres)
            log.info("database_is_back", pid=server.pid)


async def _started(postgres: EmbeddedPostgres) -> Server:
    pause_s = RETRY_S_MIN
    while True:
        try:
            return await in_thread(postgres.start)
        except (EmbeddedPostgresError, OSError) as error:
            log.error("database_does_not_start", error=str(error), retry_in_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, RETRY_S_MAX)
