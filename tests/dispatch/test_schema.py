"""The schema of the queue is the one that the installed PGQueuer would make, and it is told no other names."""

from __future__ import annotations

import subprocess

import asyncpg
import pytest
from holdfast.dispatch import dispatch, feed, store
from holdfast.dispatch.queue import SETTINGS, own_connection, queries_on

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.embedded import Server, create_database
from holdfast.kernel.embedded.programs import wheel_bin_dir
from tests.kernel.test_plans import plan

from .conftest import Desk

STATEMENTS = {
    "scan": feed.SCAN,
    "list": store.LIST,
    "find": store.FIND,
    "find_event": store.FIND_EVENT,
    "reopen": store.REOPEN,
    "lag": dispatch.AGE,
}


def dump(url: str) -> str:
    """What pg_dump says of the schema, without the key that is new in each dump."""
    command = [
        wheel_bin_dir() / "pg_dump",
        "--schema-only",
        "--no-privileges",
        f"--schema={SETTINGS.db_schema}",
        url,
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return "\n".join(
        line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))
    )


async def test_the_migration_makes_what_the_library_would(desk: Desk, server: Server) -> None:
    assert await create_database(server, "installed")
    connection = await asyncpg.connect(server.url("installed"))
    await queries_on(asyncpg_driver(connection)).install()
    await connection.close()
    have, want = dump(desk.url), dump(server.url("installed"))
    assert "CREATE TABLE pgqueuer.pgqueuer " in want
    assert have == want, "an upgrade of PGQueuer needs a migration: see its plan_upgrade()"


def asyncpg_driver(connection: asyncpg.Connection):
    from pgqueuer.db import AsyncpgDriver

    return AsyncpgDriver(connection)


async def test_the_library_finds_nothing_to_upgrade(desk: Desk) -> None:
    plan = await queries_on(asyncpg_driver(desk.owner)).plan_upgrade()
    assert plan.statements == ()


@pytest.mark.parametrize("name", STATEMENTS)
async def test_statements_go_by_an_index(desk: Desk, name: str) -> None:
    found = await desk.db.run(SYSTEM, plan, STATEMENTS[name])
    assert "Index" in found
    assert "Seq Scan" not in found
    assert "Sort" not in found


async def test_the_librarys_connection_is_the_applications(desk: Desk) -> None:
    async with own_connection(desk.url) as driver:
        [row] = await driver.fetch(
            "SELECT current_user::text AS name, current_setting('enable_seqscan') AS scan"
        )
    assert row == {"name": "holdfast_app", "scan": "on"}
