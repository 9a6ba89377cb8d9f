"""Create a database on the embedded server."""

from __future__ import annotations

import asyncpg

from holdfast.kernel.embedded.model import Server


async def create_database(server: Server, name: str = "holdfast") -> bool:
    """Whether the database was created now; `False` when it was there already."""
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        quoted = await connection.fetchval("SELECT quote_ident($1)", name)
        await connection.execute(f"CREATE DATABASE {quoted}")
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        # UniqueViolation: two processes created it in the same moment.
        return False
    finally:
        await connection.close()
    return True
