"""Databases of a test's own, as copies of a template."""

from __future__ import annotations

import asyncpg

from holdfast.kernel.embedded import Server, create_database
from holdfast.main.migrate import migrate

TEMPLATE = "migrated"


async def new_database(server: Server, name: str) -> str:
    """The URL of a new database with the newest schema: a copy of one that was migrated once for the server.

    Copying its files takes 15 ms, by the log 140 ms, migrating 300 ms.
    """
    if await create_database(server, TEMPLATE):
        await migrate(server.url(TEMPLATE))
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        # Nobody may be connected to what is copied, not even autovacuum.
        await connection.execute(f"ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false")
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE} STRATEGY file_copy')
    finally:
        await connection.close()
    return server.url(name)
