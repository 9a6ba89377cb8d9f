"""Who may log in to the embedded server as whom, when it was started as root; and the role that the application has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from holdfast.kernel.embedded import EmbeddedPostgres, Server, create_database, create_login
from holdfast.kernel.embedded import start as starting
from holdfast.kernel.embedded.account import Account, app_account
from holdfast.kernel.embedded.model import LOGIN, EmbeddedPostgresError
from holdfast.main.process.drop import open_code
from holdfast.main.process.migrate import migrate
from tests.databases import embedded
from tests.services import postgres15

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it acts as other users")
SMALL = {"shared_buffers": "16MB", "max_connections": "20", "fsync": "off"}
ROLES = ["postgres", LOGIN, "holdfast_app", "holdfast_ledger"]
TRY = """
import asyncio, asyncpg, json, sys
async def outcome(url):
    try:
        connection = await asyncpg.connect(url)
    except (asyncpg.PostgresError, OSError) as error:
        return type(error).__name__
    return await connection.fetchval("SELECT session_user")
async def main():
    print(json.dumps([await outcome(url) for url in sys.argv[1:]]))
asyncio.run(main())
"""


@pytest.fixture(scope="module", params=["own", "15"])
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Server]:
    bin_dir = postgres15() if request.param == "15" else None
    with embedded(tmp_path_factory.mktemp("access") / "data", SMALL, bin_dir=bin_dir) as started:
        yield started


@pytest.fixture
async def migrated(server: Server) -> Server:
    await create_database(server)
    await migrate(server.url())
    await create_login(server)
    return server


def tried(server: Server, account: Account | None) -> list[str]:
    """What comes of connecting as each of ROLES, by a process of that system user."""
    urls = [server.url(user=role) for role in ROLES]
    become = account.popen() if account else {}
    done = subprocess.run(
        [sys.executable, "-c", TRY, *urls], **become, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@AS_ROOT
async def test_the_application_s_user_is_its_login_role_and_nobody_else(migrated: Server) -> None:
    account = app_account()
    assert account is not None
    open_code(account)
    refused = "InvalidAuthorizationSpecificationError"
    assert tried(migrated, account) == [refused, LOGIN, refused, refused]
    # A user who is neither does not come as far as the server.
    stranger = Account(name="stranger", uid=account.uid, gid=54321, drop=True)
    assert tried(migrated, stranger) == ["PermissionError"] * 4


async def test_who_starts_it_is_the_superuser(migrated: Server) -> None:
    assert tried(migrated, None)[:2] == ["postgres", LOGIN]


async def test_the_login_role_can_do_nothing_but_take_on_the_application_s(migrated: Server) -> None:
    connection = await asyncpg.connect(migrated.app_url())
    try:
        assert await connection.fetchval("SELECT session_user") == LOGIN
        member_of = await connection.fetch(
            "SELECT rolname FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER') ORDER BY rolname"
        )
        assert [row[0] for row in member_of] == ["holdfast_app", LOGIN]
        for forbidden in (
            "SET ROLE postgres", "SET ROLE holdfast_ledger", "SET SESSION AUTHORIZATION postgres",
            "CREATE ROLE mallory", f"ALTER ROLE {LOGIN} SUPERUSER", "ALTER TABLE venue DISABLE ROW LEVEL SECURITY",
            "CREATE DATABASE mallory", "COPY venue TO PROGRAM 'cat'", "SELECT pg_read_file('PG_VERSION')",
            "CREATE TABLE public.planted (id int)", "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()",
        ):  # fmt: skip
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(forbidden)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "spoilt", ["SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS", "NOLOGIN"]
)
async def test_rights_that_the_role_was_given_are_taken_back(migrated: Server, spoilt: str) -> None:
    owner = await asyncpg.connect(migrated.url())
    try:
        await owner.execute(f"ALTER ROLE {LOGIN} {spoilt}")
        await owner.execute(f"REVOKE holdfast_app FROM {LOGIN}")
        await create_login(migrated)
        rights = await owner.fetchrow(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin,"
            " pg_has_role(rolname, 'holdfast_app', 'MEMBER') FROM pg_roles WHERE rolname = $1",
            LOGIN,
        )
    finally:
        await owner.close()
    assert rights is not None
    assert tuple(rights) == (False, False, False, False, False, True, True)


@AS_ROOT
def test_root_stops_no_server_of_an_ordinary_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres = EmbeddedPostgres(tmp_path / "data", SMALL)
    with monkeypatch.context() as alice:
        alice.setattr(starting, "settings_of_access", lambda *_: {})
        server = postgres.start()
    try:
        own = starting.account_for(postgres.layout.cluster)
        monkeypatch.setattr(starting, "account_for", lambda _: replace(own, name="alice"))
        with pytest.raises(EmbeddedPostgresError, match=r"user alice runs .* run this as that user"):
            EmbeddedPostgres(tmp_path / "data", SMALL).start()
        assert postgres.running() == server
    finally:
        postgres.stop()


@AS_ROOT
async def test_a_server_that_an_older_version_started_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = app_account()
    assert account is not None
    postgres = EmbeddedPostgres(tmp_path / "data", SMALL)
    with monkeypatch.context() as older:
        older.setattr(starting, "settings_of_access", lambda *_: {})
        older.setattr(starting, "app_account", lambda: None)
        old = postgres.start()
    try:
        server = postgres.start()
        assert server.pid != old.pid
        await create_database(server)
        await migrate(server.url())
        await create_login(server)
        assert tried(server, account)[:2] == ["InvalidAuthorizationSpecificationError", LOGIN]
        assert postgres.start() == server
    finally:
        postgres.stop()
