"""The database a command works on: the one of HOLDFAST_DATABASE_URL, or the embedded one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from holdfast.kernel.config import Settings
from holdfast.kernel.db import Bounds, Database
from holdfast.kernel.embedded import EmbeddedPostgres, Server, create_database
from holdfast.main.connect import connection_to
from holdfast.main.migrate import migrate
from holdfast.main.safety import check_database

T = TypeVar("T")


@asynccontextmanager
async def open_database(settings: Settings, *, bounds: Bounds | None = None) -> AsyncIterator[Database]:
    """The database of these settings, ready for use: there, migrated, safe; closed afterwards.

    See `find_database`. `bounds`: other than the usual limits of a transaction.
    """
    async with find_database(settings) as url:
        database = await Database.connect(url, pool_max=settings.pool_max, bounds=bounds)
        try:
            yield database
        finally:
            await database.close()


@asynccontextmanager
async def find_database(settings: Settings) -> AsyncIterator[str]:
    """The URL of the database, which runs, is migrated, and was checked.

    1. With `database_url`: the schema has to be there already (`holdfast migrate`), or `Failed`.
    2. Without: the embedded server of `data_dir` is started unless it runs, the database made and
       migrated as needed. Afterwards the server is stopped, unless another process uses it.
    """
    if settings.database_url:
        await check(settings.database_url, settings)
        yield settings.database_url
        return
    async with embedded_server(settings) as (_, server):
        await prepare(server, settings)
        yield server.url()


@asynccontextmanager
async def embedded_server(settings: Settings) -> AsyncIterator[tuple[EmbeddedPostgres, Server]]:
    """The embedded server, for the block, running; no database in it is looked at."""
    postgres = EmbeddedPostgres(settings.data_dir)
    try:
        yield postgres, await in_thread(postgres.start)
    finally:
        await in_thread(postgres.release)


async def prepare(server: Server, settings: Settings) -> str:
    """The URL of the database `holdfast` on that server: made, migrated, checked."""
    await create_database(server)
    await migrate(server.url())
    await check(server.url(), settings)
    return server.url()


async def check(url: str, settings: Settings) -> None:
    """Nothing, if the database can be reached and is fit for use. Raises `Failed`."""
    async with connection_to(url) as connection:
        await check_database(connection, unsafe=settings.unsafe_database)


async def in_thread(blocking: Callable[[], T]) -> T:
    """Its value. Whoever is cancelled meanwhile goes on only when it has ended: it can't be interrupted."""
    running = asyncio.ensure_future(asyncio.to_thread(blocking))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
