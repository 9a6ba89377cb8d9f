"""Migrations: up, down, up again; one at a time; never waiting long for a table."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.embedded import Server
from holdfast.main.process import migrate as module
from holdfast.main.process.connect import connection_to
from holdfast.main.process.migrate import MIGRATIONS, migrate, migrate_back, newest, revision_of
from holdfast.main.process.outcome import Failed
from tests.engines import connect
from tests.processes import PATIENT_S

NewDatabase = Callable[[], Awaitable[str]]

LEFT = """
    SELECT relname FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic_version%'
    UNION ALL
    SELECT proname FROM pg_proc
     WHERE pronamespace = 'public'::regnamespace
       AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
"""


async def ask(url: str, question: str) -> list[str]:
    async with connection_to(url) as connection:
        return [row[0] for row in await connection.fetch(question)]


async def test_up_and_down_and_up_again(new_database: NewDatabase) -> None:
    url = await new_database()
    assert await migrate(url)
    first = sorted(await ask(url, LEFT))
    assert "claim_never_overlaps" in first

    await migrate_back(url, to="base")
    assert await ask(url, LEFT) == []

    assert await migrate(url)
    assert sorted(await ask(url, LEFT)) == first


async def test_a_second_time_there_is_nothing_to_do(new_database: NewDatabase) -> None:
    url = await new_database()
    assert await migrate(url)
    assert not await migrate(url)
    async with connection_to(url) as connection:
        assert await revision_of(connection) == newest()


async def test_of_many_at_once_one_migrates_and_the_others_wait_for_it(new_database: NewDatabase) -> None:
    url = await new_database()
    assert sorted(await asyncio.gather(*(migrate(url) for _ in range(3)))) == [False, False, True]


async def test_a_database_that_is_newer_than_the_code_stays_as_it_is(new_database: NewDatabase) -> None:
    url = await new_database()
    await migrate(url)
    await ask(url, "UPDATE alembic_version SET version_num = '9999'")
    assert not await migrate(url)
    assert await ask(url, "SELECT version_num FROM alembic_version") == ["9999"]


def test_the_newest_revision_is_alembic_s_only_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [newest()]


async def test_it_gives_up_when_a_table_is_in_use(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await new_database()
    await migrate(url)
    monkeypatch.setattr(module, "TABLE_LOCK_WAIT_S", 0.1)
    async with connection_to(url) as other, other.transaction():
        await other.execute("LOCK TABLE venue IN ACCESS SHARE MODE")
        with pytest.raises(Failed, match="changed nothing"):
            await migrate_back(url, to="base")
    assert "venue" in await ask(url, LEFT)


async def test_it_gives_up_when_another_one_takes_too_long(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await new_database()
    monkeypatch.setitem(module.SETTINGS, "lock_timeout", "100ms")
    async with connection_to(url) as other:
        await other.execute(f"SELECT pg_advisory_lock({module.LOCK_KEY})")
        with pytest.raises(Failed, match="Another process has been migrating"):
            await migrate(url)


async def test_an_ordinary_owner_can_migrate_and_then_take_on_the_role(server: Server) -> None:
    admin = server.url("postgres")
    for statement in (
        "CREATE ROLE alice LOGIN CREATEROLE",
        "CREATE DATABASE alices OWNER alice",
        # What alice gets who makes the roles herself; another test may have made them already.
        "DO $$ BEGIN CREATE ROLE holdfast_app NOLOGIN; EXCEPTION WHEN duplicate_object THEN END $$",
        "DO $$ BEGIN CREATE ROLE holdfast_ledger NOLOGIN; EXCEPTION WHEN duplicate_object THEN END $$",
        "GRANT holdfast_app, holdfast_ledger TO alice WITH ADMIN OPTION, SET FALSE, INHERIT FALSE",
    ):
        async with connection_to(admin) as connection:
            await connection.execute(statement)
    url = server.url("alices", "alice")
    try:
        assert await migrate(url)
        database = await connect(url, deadline_s=PATIENT_S)
        assert await database.run(SYSTEM, _role) == "holdfast_app"
        await database.close()
    finally:
        for statement in ("DROP DATABASE alices WITH (FORCE)", "DROP OWNED BY alice", "DROP ROLE alice"):
            async with connection_to(admin) as connection:
                await connection.execute(statement)


async def _role(tx: Tx) -> str:
    return await tx.fetchval("SELECT current_user")


async def test_the_application_can_not_change_the_schema(new_database: NewDatabase) -> None:
    url = await new_database()
    await migrate(url)
    database = await connect(url, deadline_s=PATIENT_S)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await database.run(SYSTEM, _alter)
    await database.close()


async def _alter(tx: Tx) -> None:
    await tx.execute("ALTER TABLE claim DROP CONSTRAINT claim_never_overlaps")
