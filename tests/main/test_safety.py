"""A database that would lose bookings or show them to strangers is refused."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.kernel.embedded import create_database
from holdfast.main.process.connect import connection_to
from holdfast.main.process.migrate import migrate, newest
from holdfast.main.process.outcome import Failed
from holdfast.main.process.safety import Facts, check_database, may_lose_bookings, read_facts, unfit, warnings
from tests.databases import embedded
from tests.services import postgres15

NewDatabase = Callable[[], Awaitable[str]]
GOOD = Facts(server_version=150000, revision=newest())


def test_a_good_database_gives_no_reason_to_complain() -> None:
    assert unfit(GOOD) + may_lose_bookings(GOOD) + warnings(GOOD) == []


@pytest.mark.parametrize(
    ("facts", "advice"),
    [
        (replace(GOOD, server_version=140011), "PostgreSQL 14: upgrade it to 15 or later"),
        (replace(GOOD, revision=None), "no schema of Holdfast: run holdfast migrate"),
        (replace(GOOD, revision="0000"), "at revision 0000, .* run holdfast migrate"),
        (replace(GOOD, role_exists=False, role_can_be_taken=False), "run CREATE ROLE holdfast_app"),
        (replace(GOOD, role_can_be_taken=False), "run GRANT holdfast_app TO"),
        (replace(GOOD, role_is_superuser=True, role_owns_tables=True), "ALTER ROLE holdfast_app NOSUPERUSER"),
        (replace(GOOD, role_bypasses_rls=True), "ALTER ROLE holdfast_app NOBYPASSRLS"),
        (replace(GOOD, role_owns_tables=True), "ALTER TABLE ... OWNER TO"),
    ],
)
def test_what_it_can_not_run_on_is_said_in_one_sentence_with_advice(facts: Facts, advice: str) -> None:
    (sentence,) = unfit(facts)
    assert re.search(advice.replace("...", r"\.\.\."), sentence)


def test_a_newer_schema_is_fine_while_a_new_version_is_rolled_out() -> None:
    assert unfit(replace(GOOD, revision="9999")) == []


def test_a_user_who_can_do_more_than_serving_takes_is_warned_of() -> None:
    (warning,) = warnings(
        replace(GOOD, login="holdfast_owner", login_powers=("owns tables", "can make roles"))
    )
    assert "holdfast_owner of HOLDFAST_DATABASE_URL owns tables" in warning
    assert "GRANT holdfast_app TO holdfast_web" in warning


@pytest.mark.parametrize(
    ("power", "named"),
    [
        ("SUPERUSER", "is a superuser"),
        ("BYPASSRLS", "can bypass row-level security"),
        ("CREATEROLE", "can make roles"),
        ("REPLICATION", "can copy the whole server (REPLICATION)"),
        ("IN ROLE pg_read_server_files", "can use the server's files and programs"),
        ("IN ROLE postgres", "is a superuser"),
        ("", None),
    ],
)
async def test_what_the_user_can_do_is_read_from_the_server(
    power: str, named: str | None, new_migrated: NewDatabase
) -> None:
    url = await new_migrated()
    async with connection_to(url) as connection:
        assert (await read_facts(connection)).login_powers[0] == "is a superuser"
        await connection.execute(f"CREATE ROLE charlie LOGIN {power}; GRANT holdfast_app TO charlie")
    try:
        async with connection_to(url.replace("postgres@", "charlie@")) as connection:
            facts = await read_facts(connection)
            assert facts.login == "charlie"
            assert facts.login_powers[:1] == (() if named is None else (named,))
            if named is None:
                await connection.execute("SET ROLE holdfast_app")
                assert (await read_facts(connection)).login_powers == ()
    finally:
        async with connection_to(url) as connection:
            await connection.execute("DROP OWNED BY charlie; DROP ROLE charlie")


async def test_a_user_who_owns_the_tables_is_warned_of(new_migrated: NewDatabase) -> None:
    url = await new_migrated()
    async with connection_to(url) as connection:
        await connection.execute("CREATE ROLE charlie LOGIN; GRANT holdfast_app TO charlie")
        await connection.execute("ALTER TABLE venue OWNER TO charlie")
    try:
        async with connection_to(url.replace("postgres@", "charlie@")) as connection:
            assert (await read_facts(connection)).login_powers == ("owns tables",)
    finally:
        async with connection_to(url) as connection:
            await connection.execute(
                "ALTER TABLE venue OWNER TO postgres; DROP OWNED BY charlie; DROP ROLE charlie"
            )


@pytest.mark.parametrize("name", ["data_checksums"])
def test_what_is_doubtful_is_a_warning(name: str) -> None:
    (warning,) = warnings(replace(GOOD, **{name: False}))
    assert name.replace("_", " ") in warning.replace("_", " ")


def test_a_commit_that_is_not_waited_for_is_refused_unless_that_is_permitted() -> None:
    (sentence,) = may_lose_bookings(replace(GOOD, synchronous_commit=False))
    assert "synchronous_commit off" in sentence
    assert "HOLDFAST_UNSAFE_DATABASE=1" in sentence


async def test_a_server_without_fsync_is_refused_unless_that_is_permitted(new_migrated: NewDatabase) -> None:
    url = await new_migrated()
    async with connection_to(url) as connection:
        with pytest.raises(Failed, match=r"fsync off.*full_page_writes off.*HOLDFAST_UNSAFE_DATABASE=1"):
            await check_database(connection, unsafe=False)
        await check_database(connection, unsafe=True)


@pytest.mark.parametrize(
    ("spoil", "repair", "advice"),
    [
        ("ALTER ROLE holdfast_app SUPERUSER", "ALTER ROLE holdfast_app NOSUPERUSER", "is a superuser"),
        ("ALTER ROLE holdfast_app BYPASSRLS", "ALTER ROLE holdfast_app NOBYPASSRLS", "bypasses row-level"),
        ("ALTER TABLE venue OWNER TO holdfast_app", "ALTER TABLE venue OWNER TO postgres", "owns tables"),
        ("DROP TABLE alembic_version", "SELECT 1", "run holdfast migrate"),
    ],
)
async def test_what_could_show_bookings_to_strangers_is_never_permitted(
    spoil: str, repair: str, advice: str, new_migrated: NewDatabase
) -> None:
    url = await new_migrated()
    async with connection_to(url) as connection:
        await check_database(connection, unsafe=True)
        await connection.execute(spoil)
        try:
            with pytest.raises(Failed, match=advice):
                await check_database(connection, unsafe=True)
        finally:
            await connection.execute(repair)


async def test_a_user_who_may_not_take_on_the_role_is_told_so(new_migrated: NewDatabase) -> None:
    url = await new_migrated()
    async with connection_to(url) as connection:
        await connection.execute("CREATE ROLE charlie LOGIN")
        await connection.execute("GRANT SELECT ON alembic_version TO charlie")
    try:
        async with connection_to(url.replace("postgres@", "charlie@")) as connection:
            with pytest.raises(Failed, match="GRANT holdfast_app TO that user"):
                await check_database(connection, unsafe=True)
    finally:
        async with connection_to(url) as connection:
            await connection.execute("DROP OWNED BY charlie; DROP ROLE charlie")


async def test_the_facts_are_read_from_the_server(new_migrated: NewDatabase) -> None:
    url = await new_migrated()
    async with connection_to(url, server_settings={"synchronous_commit": "off"}) as connection:
        facts = await read_facts(connection)
    assert facts.server_version >= 180000
    assert (facts.fsync, facts.full_page_writes, facts.synchronous_commit) == (False, False, False)
    assert (facts.data_checksums, facts.revision) == (True, newest())


async def test_the_oldest_supported_version_passes(tmp_path: Path) -> None:
    small = {"shared_buffers": "16MB", "max_connections": "20"}
    with embedded(tmp_path / "data", small, bin_dir=postgres15()) as server:
        await create_database(server)
        await migrate(server.url())
        async with connection_to(server.url()) as connection:
            await check_database(connection, unsafe=False)
            assert (await read_facts(connection)).server_version // 10000 == 15
