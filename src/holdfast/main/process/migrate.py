"""Migrates a database to the newest schema, or back: Alembic, with migrations in plain SQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from holdfast.main.process.connect import connection_to
from holdfast.main.process.outcome import Failed

MIGRATIONS = Path(__file__).parents[2] / "migrations"
"""Inside the package, so that an installed wheel includes them."""
LOCK_KEY = 0x686F6C6466617374
TURN_WAIT_S = 300
"""How long a migration waits for another process's migration to end."""
TABLE_LOCK_WAIT_S = 5
"""How long a migration waits for a table lock before it gives up: meanwhile, all other queries queue behind it."""

SETTINGS = {
    "application_name": "holdfast migrate",
    "lock_timeout": f"{TURN_WAIT_S}s",
    # Row-level security applies to the owner too: a migration that moves data has to see all rows.
    "holdfast.tenants": "*",
}

log = structlog.get_logger(__name__)


def newest() -> str:
    """Returns the revision this code needs: the highest number among the migrations."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("*.py"))


async def revision_of(connection: Any) -> str | None:
    """Returns the database's revision; None for an empty database."""
    if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    return await connection.fetchval("SELECT version_num FROM alembic_version")


async def migrate(url: str) -> bool:
    """Migrates the database to the newest schema. Returns whether there was anything to do.

    1. If another process is migrating, waits for it, up to TURN_WAIT_S.
    2. Each migration is one transaction. It fails if it can't lock a table within TABLE_LOCK_WAIT_S.
    3. The connecting user owns what is created, and may switch to the application's role.
    A database newer than this code is left alone: that happens during the rollout of a new version.
    """
    async with _turn(url) as connection:
        found = await revision_of(connection)
        if found is not None and found >= newest():
            return False
        await _run(connection, lambda alembic, config: alembic.upgrade(config, "head"))
        log.info("migrated", from_revision=found, to_revision=newest())
    return True


async def migrate_back(url: str, *, to: str) -> None:
    """Reverts the migrations after the revision `to` ("base": all of them). Data in what they added is lost."""
    async with _turn(url) as connection:
        await _run(connection, lambda alembic, config: alembic.downgrade(config, to))
        log.info("migrated back", to_revision=to)


def run_file(bind: Any, path: Path) -> None:
    """Executes a file of SQL statements in the transaction of the calling migration."""
    sql = path.read_text()
    bind.connection.dbapi_connection.run_async(lambda connection: connection.execute(sql))


@asynccontextmanager
async def _turn(url: str) -> AsyncIterator[asyncpg.Connection]:
    async with connection_to(url, server_settings=SETTINGS) as connection:
        try:
            await connection.execute(f"SELECT pg_advisory_lock({LOCK_KEY})")
        except asyncpg.LockNotAvailableError:
            raise Failed(
                f"Another process has been migrating for {TURN_WAIT_S} s: check what it is doing."
            ) from None
        await connection.execute(f"SET lock_timeout = '{TABLE_LOCK_WAIT_S}s'")
        try:
            yield connection
        except asyncpg.LockNotAvailableError:
            raise Failed(
                f"A table was in use for longer than {TABLE_LOCK_WAIT_S} s, so the migration gave up "
                "and changed nothing: run it again at a quieter moment."
            ) from None


async def _run(connection: asyncpg.Connection, command: Callable[[Any, Any], None]) -> None:
    # Importing these takes half a second, and usually there is nothing to migrate.
    import alembic.command
    from alembic.config import Config
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import StaticPool

    async def ours() -> asyncpg.Connection:
        return connection

    def inside(bind: Any) -> None:
        config = Config(attributes={"connection": bind})
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        command(alembic.command, config)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=ours, poolclass=StaticPool)
    try:
        async with engine.connect() as bind:
            await bind.run_sync(inside)
    except DBAPIError as error:
        raise (error.driver_exception or error) from None
