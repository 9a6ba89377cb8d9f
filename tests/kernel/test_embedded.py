"""The embedded PostgreSQL: one server per data directory, whatever happens to it or around it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from holdfast.kernel.embedded import EmbeddedPostgres, Server, create_database
from holdfast.kernel.embedded.account import account_for
from holdfast.kernel.embedded.watch import wait_ended
from tests.databases import embedded

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the server runs as another user")
SMALL = {"shared_buffers": "16MB", "max_connections": "20", "fsync": "off"}
END_TIMEOUT_S = 20.0


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that only its owner can enter, and no server in it afterwards."""
    path = Path(tempfile.mkdtemp(prefix="holdfast-test-"))
    yield path
    for log in path.rglob("postgres.log"):
        EmbeddedPostgres(log.parent).stop()
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a cluster in it, to be copied: that is quicker than initdb."""
    path = tmp_path_factory.mktemp("made") / "data"
    with embedded(path, SMALL):
        pass
    return path


@pytest.fixture
def postgres(place: Path, made: Path) -> EmbeddedPostgres:
    shutil.copytree(made, place / "data")
    return EmbeddedPostgres(place / "data", SMALL)


async def ask(server: Server, question: str) -> str:
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        return str(await connection.fetchval(question))
    finally:
        await connection.close()


async def test_it_starts_answers_stops_and_keeps_what_was_written(postgres: EmbeddedPostgres) -> None:
    first = postgres.start()
    assert postgres.running() == first
    assert await create_database(first)
    assert not await create_database(first)

    postgres.stop()
    assert postgres.running() is None
    assert not first.socket_dir.exists()

    second = postgres.start()
    assert second.pid != first.pid
    connection = await asyncpg.connect(second.url())
    assert await connection.fetchval("SELECT current_database()") == "holdfast"
    await connection.close()


@pytest.fixture(scope="module")
def running(
    made: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[EmbeddedPostgres, Server]]:
    """A server that tests look at, and leave as it is."""
    path = tmp_path_factory.mktemp("running") / "data"
    shutil.copytree(made, path)
    postgres = EmbeddedPostgres(path, SMALL)
    yield postgres, postgres.start()
    postgres.stop()


async def test_it_speaks_utf8_in_utc_checks_its_pages_and_listens_to_nobody_outside(
    running: tuple[EmbeddedPostgres, Server],
) -> None:
    _, server = running
    assert await ask(server, "SELECT upper('é')") == "É"
    assert await ask(server, "SHOW timezone") == "UTC"
    assert await ask(server, "SHOW data_checksums") == "on"
    assert await ask(server, "SHOW listen_addresses") == ""
    visited = stat.S_IMODE(server.socket_dir.stat().st_mode)
    # As root: the application's user passes through, and is asked who it is.
    assert visited == (0o710 if os.geteuid() == 0 else 0o700)


async def test_settings_override_the_defaults(place: Path, made: Path) -> None:
    shutil.copytree(made, place / "data")
    with embedded(place / "data", SMALL | {"jit": "on", "work_mem": "7MB", "port": "6543"}) as server:
        assert server.port == 6543
        assert await ask(server, "SHOW jit") == "on"
        assert await ask(server, "SHOW work_mem") == "7MB"
        assert await ask(server, "SHOW random_page_cost") == "1.1"


def test_the_block_adopts_a_running_server_and_leaves_it_alone(
    running: tuple[EmbeddedPostgres, Server],
) -> None:
    postgres, server = running
    with embedded(postgres.layout.data_dir) as adopted:
        assert adopted == server
    assert postgres.running() == server


def test_the_last_user_stops_the_server_not_the_first(postgres: EmbeddedPostgres) -> None:
    server = postgres.start()
    with embedded(postgres.layout.data_dir):
        postgres.release()
        assert postgres.running() == server
    assert postgres.running() is None


def test_a_server_whose_starter_was_killed_is_adopted_and_stopped(postgres: EmbeddedPostgres) -> None:
    data_dir = postgres.layout.data_dir
    code = (
        "import os, signal, sys, pathlib; from holdfast.kernel.embedded import EmbeddedPostgres;"
        "EmbeddedPostgres(pathlib.Path(sys.argv[1])).start(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, data_dir], check=False, stdin=subprocess.DEVNULL)
    assert killed.returncode == -signal.SIGKILL
    orphan = postgres.running()
    assert orphan is not None
    with embedded(data_dir) as adopted:
        assert adopted == orphan
    assert postgres.running() is None


async def test_a_killed_postmaster_is_replaced_and_nothing_committed_is_lost(
    postgres: EmbeddedPostgres,
) -> None:
    killed = postgres.start()
    connection = await asyncpg.connect(killed.url("postgres"))
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
    os.kill(killed.pid, signal.SIGKILL)
    # Its children, one of them ours, may still hold the shared memory: start() waits for them.
    server = postgres.start()
    assert server.pid != killed.pid
    assert await ask(server, "SELECT n FROM kept") == "1"
    connection.terminate()


async def test_it_waits_for_children_of_a_killed_postmaster_that_do_not_notice(
    postgres: EmbeddedPostgres,
) -> None:
    killed = postgres.start()
    connection = await asyncpg.connect(killed.url("postgres"))
    backend = connection.get_server_pid()
    os.kill(backend, signal.SIGSTOP)
    os.kill(killed.pid, signal.SIGKILL)
    assert wait_ended(killed.pid, postgres.layout.cluster, timeout_s=END_TIMEOUT_S)
    told = threading.Event()

    def let_go_once_it_was_in_the_way() -> None:
        give_up_at = time.monotonic() + END_TIMEOUT_S
        while time.monotonic() < give_up_at and not told.is_set():
            if "pre-existing shared memory block" in postgres.layout.log.read_text():
                told.set()
            time.sleep(0.05)
        os.kill(backend, signal.SIGCONT)

    waker = threading.Thread(target=let_go_once_it_was_in_the_way)
    waker.start()
    try:
        server = postgres.start()
    finally:
        waker.join()
    assert await ask(server, "SELECT 1") == "1"
    assert told.is_set()
    connection.terminate()


def test_a_pid_file_that_names_a_stranger_does_not_stop_it(postgres: EmbeddedPostgres) -> None:
    pid_file = postgres.layout.cluster / "postmaster.pid"
    stranger = account_for(postgres.layout.cluster).popen()
    with subprocess.Popen(["sleep", "60"], **stranger) as process:
        lines = [process.pid, postgres.layout.cluster, 1, 5432, "/tmp/holdfast-none", "", "1 1", "ready"]
        pid_file.write_text("\n".join(map(str, lines)) + "\n")
        try:
            assert postgres.running() is None
            postgres.stop()
            assert process.poll() is None, "it stopped a stranger"
            assert postgres.start() == postgres.running()
        finally:
            process.kill()


def test_two_starters_at_once_get_the_same_server(place: Path) -> None:
    code = (
        "import sys, pathlib; from holdfast.kernel.embedded import EmbeddedPostgres\n"
        "postgres = EmbeddedPostgres(pathlib.Path(sys.argv[1]), {'fsync': 'off'})\n"
        "print(postgres.start().pid, flush=True); sys.stdin.read()\n"
        "postgres.release()"
    )
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", code, place / "data"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    pids = {_last_number(starter) for starter in starters}
    for starter in starters:
        starter.communicate()
    assert len(pids) == 1
    assert [starter.returncode for starter in starters] == [0, 0]
    assert EmbeddedPostgres(place / "data").running() is None


def _last_number(starter: subprocess.Popen[str]) -> int:
    assert starter.stdout is not None
    return next(int(line) for line in starter.stdout if line.strip().isdigit())


async def test_a_path_longer_than_a_socket_may_have(place: Path, made: Path) -> None:
    deep = place / "/".join(["a directory with a long name"] * 6)
    deep.mkdir(parents=True)
    shutil.copytree(made, deep / "data")
    assert len(os.fsencode(deep)) > 107
    with embedded(deep / "data", SMALL) as server:
        assert len(os.fsencode(server.socket)) <= 107
        assert await ask(server, "SELECT 1") == "1"


def test_an_interrupted_initdb_is_done_again(place: Path) -> None:
    half = place / "data" / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with embedded(place / "data", SMALL) as server:
        assert server.data_dir == place / "data"
    assert not half.exists()


@AS_ROOT
async def test_below_a_closed_directory_as_root(place: Path, made: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(made, closed / "data")
    with embedded(closed / "data", SMALL) as server:
        assert await ask(server, "SELECT 1") == "1"
        assert os.stat(f"/proc/{server.pid}").st_uid != 0
    assert os.stat(closed).st_mode & (stat.S_IRWXO | stat.S_IRGRP | stat.S_IWGRP) == 0
