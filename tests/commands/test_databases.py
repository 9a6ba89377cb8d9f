"""Commands on databases that can't be used: each says in one sentence why, and leaves them as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from holdfast.kernel.embedded import Server, create_database, create_login
from holdfast.kernel.embedded.model import LOGIN
from holdfast.main.process.connect import connection_to
from holdfast.main.process.migrate import newest
from tests.commands.harms import USE_A_DATABASE, answering, assert_refused, error_response
from tests.commands.running import Commands
from tests.databases import new_database
from tests.processes import reserved_port

FOREIGN_TABLES = "CREATE TABLE booking (id int); CREATE TABLE venue (id int)"
STATES: Mapping[str, str] = {
    "no schema": "",
    "tables of another program": FOREIGN_TABLES,
    "another program's revision": "CREATE TABLE alembic_version (version_num text);"
    "INSERT INTO alembic_version VALUES ('ae1027a6acf')",
    "a revision without tables": "CREATE TABLE alembic_version (version_num text);"
    f"INSERT INTO alembic_version VALUES ('{newest()}')",
    "no column of a revision": "CREATE TABLE alembic_version (id int)",
    "older": "UPDATE alembic_version SET version_num = '0007'",
    "newer": "UPDATE alembic_version SET version_num = '9999'",
}
OWNERS = {"migrate", "migrate --down-to", "up"}
"""Commands that need the owner of the tables."""
FINE = {
    *(("no schema", each) for each in ("migrate", "up", "migrate --down-to")),
    *(("newer", each) for each in ("migrate", "up", "serve", "work")),
    ("tables of another program", "migrate --down-to"),
    ("older", "migrate --down-to"),
}
"""What each of them may do there. They are tested elsewhere."""
EVERYTHING = """
    SELECT format('%s %s', relkind, oid::regclass) FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT format('role %s %s', rolname, rolsuper) FROM pg_roles
"""


@pytest.fixture(scope="module")
async def databases(server: Server) -> Mapping[str, str]:
    """A database in each state, by its name."""
    names = {state: f"harm_{number}" for number, state in enumerate(STATES)}
    await new_database(server, "harm_template")
    await create_login(server)
    for state, name in names.items():
        if state in ("older", "newer"):
            await new_database(server, name)
        else:
            await create_database(server, name)
        async with connection_to(server.url(name)) as connection:
            await connection.execute(STATES[state] or "SELECT 1")
            if state not in ("older", "newer"):
                await connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {LOGIN}")
    return names


async def seen(url: str) -> list[str]:
    async with connection_to(url) as connection:
        rows = [row[0] for row in await connection.fetch(EVERYTHING)]
        if any(row.endswith(" alembic_version") for row in rows):
            rows += [str(row) for row in await connection.fetch("SELECT * FROM alembic_version")]
        return sorted(rows)


def words_of(command: str, history: Path, data_dir: Path) -> list[str]:
    words = [word.replace("{file}", str(history)) for word in USE_A_DATABASE[command]]
    return [*words, "--data-dir", str(data_dir)]


@pytest.mark.parametrize("state", STATES)
async def test_a_schema_that_is_not_this_program_s(
    run: Commands, server: Server, databases: Mapping[str, str], open_dir: Path, history: Path, state: str
) -> None:
    before = await seen(server.url(databases[state]))
    for command in USE_A_DATABASE:
        if (state, command) in FINE:
            continue
        url = (server.url if command in OWNERS else server.app_url)(databases[state])
        words = words_of(command, history, open_dir / "urls")
        ended = run(*words, HOLDFAST_DATABASE_URL=url, HOLDFAST_UNSAFE_DATABASE="1")
        assert_refused(ended)
        assert await seen(server.url(databases[state])) == before, command


@pytest.fixture(scope="module")
def addresses(server: Server) -> Iterator[Mapping[str, str]]:
    """An address for each reason why a connection fails."""
    with ExitStack() as held:
        http = held.enter_context(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
        silent = held.enter_context(answering(b""))
        wrong = error_response("28P01", 'password authentication failed for user "alice"')
        closed = error_response("28000", 'no pg_hba.conf entry for host "10.0.0.1"')
        full = error_response("53300", "sorry, too many clients already")
        ports = [held.enter_context(answering(each)) for each in (wrong, closed, full)]
        yield {
            "connection refused": f"postgresql://alice:secret@127.0.0.1:{held.enter_context(reserved_port())}/x",
            "host is unknown": "postgresql://alice:secret@nowhere.invalid/x",
            "address is malformed": "postgresql://alice:secret@127.0.0.1:port/x",
            "sslmode": "postgresql://alice:secret@127.0.0.1/x?sslmode=maybe",
            "doesn't answer as PostgreSQL": f"postgresql://alice:secret@127.0.0.1:{http}/x?sslmode=disable",
            "doesn't answer": f"postgresql://alice:secret@127.0.0.1:{silent}/x?sslmode=disable",
            "password authentication failed": f"postgresql://alice:secret@127.0.0.1:{ports[0]}/x?sslmode=disable",
            "no pg_hba.conf entry": f"postgresql://alice:secret@127.0.0.1:{ports[1]}/x?sslmode=disable",
            "too many clients": f"postgresql://alice:secret@127.0.0.1:{ports[2]}/x?sslmode=disable",
            "does not exist": server.app_url("no_such_database"),
            "nobody_at_all": server.url("postgres", "nobody_at_all"),
            "must be an address": "mysql://alice:secret@127.0.0.1/x",
        }


REASONS = [
    "connection refused", "host is unknown", "address is malformed", "sslmode", "doesn't answer as PostgreSQL",
    "doesn't answer", "password authentication failed", "no pg_hba.conf entry", "too many clients",
    "does not exist", "nobody_at_all", "must be an address",
]  # fmt: skip


@pytest.mark.parametrize("reason", REASONS)
def test_a_database_that_can_not_be_reached(
    run: Commands, addresses: Mapping[str, str], open_dir: Path, history: Path, reason: str
) -> None:
    # Every command connects by the same function: each meets some of the reasons.
    place = REASONS.index(reason)
    commands = list(USE_A_DATABASE)
    for command in {commands[(3 * place + each) % len(commands)] for each in range(3)}:
        words = words_of(command, history, open_dir / "urls")
        ended = run(*words, HOLDFAST_DATABASE_URL=addresses[reason])
        assert_refused(ended)
        assert reason in ended.err, ended
        assert "secret" not in ended.err


def test_every_command_meets_a_database_that_can_not_be_reached() -> None:
    met = {(3 * place + each) % len(USE_A_DATABASE) for place in range(len(REASONS)) for each in range(3)}
    assert len(met) == len(USE_A_DATABASE)
