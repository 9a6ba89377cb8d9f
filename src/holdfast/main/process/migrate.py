"""Migrates a database to the newest schema, or back: Alembic, with migrations in plain SQL."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from holdfast.kernel.errors import InvalidRequest
from holdfast.main.process.connect import connection_to
from holdfast.main.process.outcome import Failed

MIGRATIONS = Path(__file__).parents[2] / "migrations"
"""Inside the package, so that an installed wheel includes them."""
LOCK_KEY = 0x686F6C6466617374
TURN_WAIT_S = 300
"""How long a migration waits for another process's migration to end."""
TABLE_LOCK_WAIT_S = 5
"""How long a migration waits for a table lock before it gives up: meanwhile, all other queries queue behind it."""

BASE = "base"
"""The name of the state before the first migration."""
REVISION = re.compile(r"\d{4}")
FOREIGN = "Name a database of Holdfast's own, or an empty one, in HOLDFAST_DATABASE_URL."
NEWER = (
    "The schema of the database is at revision {found}, but this version of Holdfast knows only those up to {newest}: "
    "use the version that migrated it."
)
TAKEN = (
    asyncpg.DuplicateTableError, asyncpg.DuplicateObjectError, asyncpg.DuplicateFunctionError,
    asyncpg.DuplicateColumnError, asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError,
    asyncpg.WrongObjectTypeError,
)  # fmt: skip
"""What PostgreSQL says where names of ours are another program's."""

SETTINGS = {
    "application_name": "holdfast migrate",
    "lock_timeout": f"{TURN_WAIT_S}s",
    # Row-level security applies to the owner too: a migration that moves data has to see all rows.
    "holdfast.tenants": "*",
}

log = structlog.get_logger(__name__)


def revisions() -> list[str]:
    """Returns the revisions this code knows, oldest first."""
    return sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("*.py"))


def newest() -> str:
    """Returns the revision this code needs: the highest number among the migrations."""
    return revisions()[-1]


async def revision_of(connection: Any) -> str | None:
    """Returns the database's revision; None for a database without a schema of ours.

    Raises `Failed` if the revision is another program's.
    """
    table, ours = await connection.fetchrow(
        "SELECT to_regclass('alembic_version')::text, to_regclass('venue') IS NOT NULL"
    )
    if table is None:
        return None
    try:
        found = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedColumnError:
        raise Failed(
            f"The table alembic_version of the database has no column version_num. {FOREIGN}"
        ) from None
    if found is not None and not (REVISION.fullmatch(str(found)) and ours):
        raise Failed(f"The revision {str(found)[:40]!r} in alembic_version is none of Holdfast's. {FOREIGN}")
    return found


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


async def migrate_back(url: str, *, to: str, fix: str | None = None) -> None:
    """Reverts the migrations after the revision `to` (BASE: all of them). Data in what they added is lost.

    Raises `InvalidRequest` for a revision that doesn't exist; `Failed` for one that the database hasn't reached, and
    for a database that is newer than this code.
    """
    check_revision(to)
    async with _turn(url, fix) as connection:
        found = await revision_of(connection)
        if found is not None and found not in revisions():
            raise Failed(NEWER.format(found=found, newest=newest()))
        if to != BASE and (found is None or to > found):
            raise Failed(
                f"The schema is at revision {found or BASE}, before {to}: "
                "holdfast migrate without --down-to goes forward."
            )
        await _run(connection, lambda alembic, config: alembic.downgrade(config, to))
        log.info("migrated back", to_revision=to)


def check_revision(to: str) -> None:
    """Raises `InvalidRequest` unless there is such a revision to go back to."""
    if to not in (BASE, *revisions()):
        raise InvalidRequest.of("down_to", to, f"must be {BASE} or one of {', '.join(revisions())}")


def run_file(bind: Any, path: Path) -> None:
    """Executes a file of SQL statements in the transaction of the calling migration."""
    sql = path.read_text()
    bind.connection.dbapi_connection.run_async(lambda connection: connection.execute(sql))


@asynccontextmanager
async def _turn(url: str, fix: str | None = None) -> AsyncIterator[asyncpg.Connection]:
    async with connection_to(url, server_settings=SETTINGS, fix=fix) as connection:
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
        except asyncpg.PostgresError as error:
            raise Failed(_refused(error)) from error


def _refused(error: asyncpg.PostgresError) -> str:
    said = " ".join(str(error).split())
    if isinstance(error, TAKEN):
        return (
            f"The database has something of another program ({said}), so the migration was undone. {FOREIGN}"
        )
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return f"The user may not do that ({said}), so the migration was undone: migrate as the database's owner."
    if isinstance(error, asyncpg.UndefinedFileError | asyncpg.FeatureNotSupportedError):
        return f"The server lacks something ({said}), so the migration was undone: install its contrib extensions."
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return "The server is a read-only standby: name the primary in HOLDFAST_DATABASE_URL."
    return f"The database refused the migration ({said}), and it was undone: check the schema by hand."


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
