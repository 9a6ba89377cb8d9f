"""Started as root, what serves can do nothing else; over real processes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import holdfast
from holdfast.kernel.embedded import EmbeddedPostgres, Server
from holdfast.kernel.embedded.account import Account
from holdfast.kernel.embedded.model import LOGIN
from holdfast.main.process import drop
from tests.databases import new_cluster
from tests.main.powers import AS_ROOT, assert_powerless, child, ids, logged_in, low_port, started
from tests.processes import reserved_port, start, stop, until


@AS_ROOT
async def test_up_as_root_serves_as_somebody_who_can_do_nothing_else(place: Path, app_user: Account) -> None:
    log = place.parent / "log"
    with low_port() as port:
        async with started("up", "--demo", log=log, port=port, data_dir=place) as up:
            api, worker = child(up.pid, "serve"), child(up.pid, "work")
            for pid in (api, worker):
                assert_powerless(pid, app_user)

            postgres = EmbeddedPostgres(place)
            server = postgres.running()
            assert server is not None

            async def all_in() -> bool:
                return await logged_in(server) == {LOGIN}

            await until(all_in)
            _assert_can_not_reach(api, app_user, place, server)
    assert not re.search(r"eyJ[\w-]{10,}\.", log.read_text())
    assert postgres.running() is None


def _assert_can_not_reach(api: int, app_user: Account, data_dir: Path, server: Server) -> None:
    """Whoever runs as the API does, with its environment, is stopped by the system everywhere else."""
    attempts = f"""
import asyncio, asyncpg, os
def refused(what, *errors):
    try:
        what()
    except errors:
        return
    raise SystemExit(f"it could: {{what}}")
url = os.environ["HOLDFAST_DATABASE_URL"]
assert "{LOGIN}" in url, url
async def connect(url):
    await (await asyncpg.connect(url)).close()
asyncio.run(connect(url))
superuser = url.replace("{LOGIN}", "postgres")
refused(lambda: asyncio.run(connect(superuser)), asyncpg.InvalidAuthorizationSpecificationError)
for path in {[str(data_dir / name) for name in ("dev-issuer.json", "postgres/PG_VERSION", "postgres.log")]}:
    refused(lambda: open(path), PermissionError)
refused(lambda: os.listdir({str(data_dir)!r}), PermissionError)
refused(lambda: open({str(data_dir / "planted")!r}, "w"), PermissionError)
refused(lambda: os.kill({server.pid}, 0), PermissionError)
refused(lambda: os.setuid(0), PermissionError)
"""
    said = Path(f"/proc/{api}/environ").read_bytes().split(b"\0")
    environ = dict(os.fsdecode(each).split("=", 1) for each in said if b"=" in each) | {
        "HOME": "/nonexistent"
    }
    done = subprocess.run(
        [sys.executable, "-c", attempts], env=environ, cwd="/", user=app_user.uid, group=app_user.gid, extra_groups=[],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout


@AS_ROOT
@pytest.mark.parametrize("command", ["serve", "work"])
async def test_alone_as_root_they_drop_it_too_and_leave_no_server_behind(
    place: Path, app_user: Account, command: str
) -> None:
    log = place.parent / "log"
    new_cluster(place)
    with low_port() as port:
        settings = {"worker_metrics_port": port} if command == "work" else {"port": port}
        running = start(command, log=log, data_dir=place, forked=False, **settings)
        try:

            async def serves() -> bool:
                assert running.process.poll() is None, log.read_text()
                return ("api_starts" if command == "serve" else "worker_starts") in log.read_text()

            await until(serves)
            assert_powerless(child(running.pid, command), app_user)
            assert ids(running.pid)["Uid"] == ["0"] * 4
        finally:
            await stop(running)
    assert running.process.returncode == 0
    assert EmbeddedPostgres(place).running() is None


@AS_ROOT
async def test_a_child_that_ends_ends_the_command(place: Path) -> None:
    new_cluster(place)
    running = start("work", log=place.parent / "log", data_dir=place)
    try:

        async def works() -> bool:
            return "worker_starts" in running.log.read_text()

        await until(works)
        os.kill(child(running.pid, "work"), signal.SIGKILL)

        async def ended() -> bool:
            return running.process.poll() is not None

        await until(ended)
    finally:
        await stop(running)
    assert running.process.returncode == 1
    assert "holdfast work ended with exit code -9" in running.log.read_text()
    assert EmbeddedPostgres(place).running() is None


@AS_ROOT
async def test_on_a_database_of_one_s_own_the_process_itself_drops_root(
    database_url: str, tmp_path: Path, app_user: Account
) -> None:
    settings = {"database_url": database_url, "data_dir": tmp_path / "data", "unsafe_database": 1}
    with low_port() as port:
        async with started("serve", log=tmp_path / "log", port=port, **settings) as api:
            assert_powerless(api.pid, app_user)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data" / "dev-issuer.json").stat().st_mode) == 0o600


@AS_ROOT
async def test_a_program_that_was_installed_for_root_alone_serves_too(
    database_url: str, home: Path, app_user: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(home, 0, 0)
    source = home / "src"
    shutil.copytree(Path(holdfast.__path__[0]), source / "holdfast")
    for path in [source, *source.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    (home / "closed").mkdir(mode=0o700)
    (home / "closed" / "link").symlink_to(source)
    monkeypatch.setenv("PYTHONPATH", str(home / "closed" / "link"))
    settings = {"database_url": database_url, "data_dir": home / "data", "unsafe_database": 1}
    with reserved_port() as port:
        async with started("serve", log=home / "log", port=port, **settings) as api:
            assert_powerless(api.pid, app_user)
    assert stat.S_IMODE((source / "holdfast" / "engine.py").stat().st_mode) == 0o604


def test_where_its_user_can_not_be_made_it_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(drop, "app_account", lambda: None)
    with capture_logs() as said:
        drop.drop_root()
    (warned,) = said
    assert (warned["event"], warned["log_level"]) == ("runs_as_root", "warning")
    problem = "holdfast-app can't be created: create it yourself, or start Holdfast as an ordinary user"
    assert problem in warned["problem"]


@AS_ROOT
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
async def test_where_nobody_can_change_users_it_serves_as_root_and_says_so(
    database_url: str, tmp_path: Path
) -> None:
    settings = {"database_url": database_url, "data_dir": tmp_path / "data", "unsafe_database": 1}
    before = ["setpriv", "--bounding-set=-setuid,-setgid"]
    with reserved_port() as port:
        api = start("serve", log=tmp_path / "log", port=port, before=before, **settings)
        try:
            await api.ready()
            assert ids(api.pid)["Uid"] == ["0"] * 4
        finally:
            await stop(api)
    (warned,) = [line for line in api.log.read_text().splitlines() if "runs_as_root" in line]
    assert "it can't become holdfast-app" in warned
    assert "start Holdfast as an ordinary user" in warned
