"""schema.sql and the migrations make the same database."""

from __future__ import annotations

import difflib
import subprocess
from pathlib import Path

from holdfast.kernel.embedded import Server, create_database
from holdfast.kernel.embedded.programs import wheel_bin_dir
from holdfast.main.process.connect import connection_to
from holdfast.main.process.migrate import MIGRATIONS, migrate_back
from tests.databases import new_database

SCHEMA = Path(__file__).parents[2] / "schema.sql"


def dump(url: str) -> list[str]:
    """What pg_dump says of everything but Alembic's own table, without the key that is new in each dump."""
    command = [wheel_bin_dir() / "pg_dump", "--schema-only", "--exclude-table=alembic_version", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]


async def test_the_newest_migration_can_be_undone(server: Server) -> None:
    *before, newest = sorted((MIGRATIONS / "versions").glob("*.up.sql"))
    await create_database(server, "before")
    async with connection_to(server.url("before")) as connection:
        await connection.execute("CREATE TABLE alembic_version ()")  # rights to it are given in one of them
        for file in before:
            await connection.execute(file.read_text())
    undone = await new_database(server, "undone")
    assert dump(undone) != dump(server.url("before")), newest

    await migrate_back(undone, to=before[-1].name[:4])
    # Rights are listed in the order in which they were given.
    want, have = sorted(dump(server.url("before"))), sorted(dump(undone))
    difference = list(difflib.unified_diff(want, have, "before", "undone", lineterm="", n=1))
    assert not difference, "\n".join(difference)


async def test_schema_sql_and_the_migrations_make_the_same_database(server: Server) -> None:
    await create_database(server, "designed")
    async with connection_to(server.url("designed")) as connection:
        await connection.execute(SCHEMA.read_text())

    want, have = dump(server.url("designed")), dump(await new_database(server, "as_migrated"))
    assert any("claim_never_overlaps" in line for line in want)
    difference = list(difflib.unified_diff(want, have, "schema.sql", "migrations", lineterm="", n=1))
    assert not difference, "\n".join(difference)
