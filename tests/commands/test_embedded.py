"""Commands on an embedded database that isn't running, whose schema is another version's, or that isn't there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.kernel.embedded import EmbeddedPostgres, Server
from holdfast.main.process.connect import connection_to
from holdfast.main.process.migrate import newest
from tests.commands.harms import MAKING, NEED_WHAT_IS_THERE, READING, assert_refused
from tests.commands.running import Commands
from tests.databases import embedded

DATABASES = "SELECT datname::text FROM pg_database ORDER BY 1"
ROLES = "SELECT rolname::text FROM pg_roles ORDER BY 1"


@pytest.fixture(scope="module")
def data_dir(run: Commands, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A place that `migrate` made."""
    path = tmp_path_factory.mktemp("embedded") / "data"
    ended = run("migrate", "--data-dir", path)
    assert ended.out == f"The schema is now at revision {newest()}.\n", ended
    yield path
    EmbeddedPostgres(path).stop()


def entries(data_dir: Path) -> set[str]:
    return {path.name for path in data_dir.iterdir()}


def test_the_audit_starts_the_server_and_stops_it_again(run: Commands, data_dir: Path) -> None:
    before = entries(data_dir)
    ended = run("audit", "--json", "--data-dir", data_dir)
    assert ended.code == 0, ended
    assert json.loads(ended.out)["ok"] is True
    assert not (data_dir / "postgres" / "postmaster.pid").exists(), "the server was left running"
    assert entries(data_dir) == before


async def state(server: Server) -> list[list[str]]:
    async with connection_to(server.url()) as connection:
        asked = (DATABASES, ROLES, "SELECT version_num FROM alembic_version")
        return [[row[0] for row in await connection.fetch(each)] for each in asked]


async def become(server: Server, revision: str) -> None:
    async with connection_to(server.url()) as connection:
        await connection.execute("UPDATE alembic_version SET version_num = $1", revision)


@pytest.mark.parametrize("revision", ["0007", "9999"])
async def test_a_schema_of_another_version_stays_as_it_is(
    run: Commands, data_dir: Path, history: Path, revision: str
) -> None:
    making = [*(("demo", "simulate", "replay") if revision > newest() else ())]
    with embedded(data_dir) as server:
        await become(server, revision)
        before, files = await state(server), entries(data_dir)
        for name in [*READING, "dead-letters replay", *making]:
            words = {**NEED_WHAT_IS_THERE, **MAKING}[name]
            ended = run(*[word.replace("{file}", str(history)) for word in words], "--data-dir", data_dir)
            assert_refused(ended)
            assert revision in ended.err, name
            assert await state(server) == before, name
        assert entries(data_dir) == files
        await become(server, newest())


async def test_migrate_leaves_a_newer_schema_alone_and_says_so(run: Commands, data_dir: Path) -> None:
    with embedded(data_dir) as server:
        await become(server, "9999")
        ended = run("migrate", "--data-dir", data_dir)
        assert ended.code == 0, ended
        assert "at revision 9999, newer than this version" in ended.out
        assert_refused(run("migrate", "--down-to", "base", "--data-dir", data_dir))
        await become(server, newest())
        assert (
            run("migrate", "--data-dir", data_dir).out == f"The schema is already at revision {newest()}.\n"
        )


@pytest.mark.parametrize("revision", ["ae1027a6acf", "-1", "head", "0000"])
def test_a_revision_that_is_none(run: Commands, data_dir: Path, revision: str) -> None:
    ended = run("migrate", f"--down-to={revision}", "--data-dir", data_dir)
    assert_refused(ended)
    assert ended.code == 2
    assert "base or one of 0001, 0002" in ended.err


async def test_a_database_that_is_missing_is_not_made(run: Commands, data_dir: Path) -> None:
    with embedded(data_dir) as server:
        async with connection_to(server.url("postgres")) as connection:
            await connection.execute("ALTER DATABASE holdfast RENAME TO elsewhere")
            before = [row[0] for row in await connection.fetch(DATABASES)]
            for words in NEED_WHAT_IS_THERE.values():
                ended = run(*words, "--data-dir", data_dir)
                assert_refused(ended)
                assert "run holdfast migrate --data-dir" in ended.err
            assert [row[0] for row in await connection.fetch(DATABASES)] == before
            await connection.execute("ALTER DATABASE elsewhere RENAME TO holdfast")


async def test_a_login_role_that_is_missing_is_not_made_by_what_reads(run: Commands, data_dir: Path) -> None:
    with embedded(data_dir) as server:
        async with connection_to(server.url()) as connection:
            await connection.execute("DROP ROLE holdfast_login")
            assert_refused(run("audit", "--data-dir", data_dir))
            assert "holdfast_login" not in [row[0] for row in await connection.fetch(ROLES)]
        assert run("migrate", "--data-dir", data_dir).code == 0
        assert run("dead-letters", "list", "--data-dir", data_dir).out == "There are no dead letters.\n"
