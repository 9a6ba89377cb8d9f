"""The login of the application is a plain one, and what a stranger planted is not used; over real processes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.embedded.account import Account
from holdfast.kernel.embedded.model import LOGIN
from tests.forks import run
from tests.main.powers import AS_ROOT, ids, logged_in
from tests.processes import Running, reserved_port, start, stop, until


def _open(words: list[str], **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, **options)


@AS_ROOT
async def test_all_as_an_ordinary_user(home: Path, tmp_path: Path, app_user: Account) -> None:
    data = home / "data"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    environ |= {"HOME": "/nonexistent"}
    become: dict[str, Any] = {
        "user": app_user.uid,
        "group": app_user.gid,
        "extra_groups": [],
        "cwd": home,
        "env": environ,
    }
    command = [sys.executable, "-m", "holdfast"]
    log = tmp_path / "log"
    with reserved_port() as port, log.open("wb") as out:
        words = [*command, "up", "--demo", "--port", str(port), "--data-dir", str(data)]
        up = Running(_open(words, stdout=out, stderr=out, **become), log, port)
        try:
            await up.ready()
            assert stat.S_IMODE(data.stat().st_mode) == 0o700
            server = EmbeddedPostgres(data).running()
            assert server is not None
            assert ids(server.pid)["Uid"] == [str(app_user.uid)] * 4

            async def all_in() -> bool:
                return await logged_in(server) == {LOGIN}

            await until(all_in)
            audit = await asyncio.to_thread(
                subprocess.run,
                [*command, "audit", "--data-dir", str(data)],
                capture_output=True,
                text=True,
                check=False,
                **become,
            )
            assert audit.returncode == 0, audit.stderr
            said = [json.loads(line) for line in log.read_text().splitlines() if line[0:1] == "{"]
            warned = {line["event"] for line in said if line["level"] not in ("info", "debug")}
            assert warned <= {"live_streams_bounded"}
        finally:
            await stop(up)


@pytest.mark.parametrize("who", ["postgres", LOGIN])
async def test_a_superuser_s_login_is_warned_of_at_the_start(
    database_url: str, tmp_path: Path, who: str
) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    environ |= {
        "HOLDFAST_DATABASE_URL": database_url.replace("//postgres@", f"//{who}@"),
        "HOLDFAST_UNSAFE_DATABASE": "1",
        "HOLDFAST_DATA_DIR": str(tmp_path / "data"),
    }
    done = await asyncio.to_thread(run, ["dead-letters", "list"], env=environ, timeout_s=240)
    assert done.returncode == 0, done.stderr
    warned = [line for line in done.stderr.splitlines() if "of HOLDFAST_DATABASE_URL" in line]
    assert len(warned) == (who == "postgres"), done.stderr
    assert all("the user postgres of HOLDFAST_DATABASE_URL is a superuser" in line for line in warned)


@AS_ROOT
@pytest.mark.parametrize("words", [("up",), ("serve",), ("token", "--role", "platform_admin")])
async def test_a_key_that_somebody_else_planted_is_refused_in_one_sentence(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    data = tmp_path / "data"
    DevIssuer.load(data)  # makes the key
    os.chown(data / "dev-issuer.json", 54321, 54321)
    planted = start(*words, log=tmp_path / "refused", data_dir=data)
    assert planted.process.wait(60) == 1
    (sentence,) = planted.log.read_text().splitlines()
    assert re.search(
        r"dev-issuer.json belongs to user 54321, but this is root: remove it, or take it", sentence
    )
    assert not (data / "postgres").exists()
