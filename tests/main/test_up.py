"""`holdfast up` for real: it comes up, it comes back, it goes away."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TypeVar

import pytest

from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.main.process.up import STOP_API_S, STOP_WORKER_S
from tests.processes import PATIENT_S, SOON_S

T = TypeVar("T")


def until(found: Callable[[], T | None], *, within_s: float = SOON_S) -> T:
    """What `found` answers as soon as it answers something."""
    deadline = time.monotonic() + within_s
    while not (value := found()):
        assert time.monotonic() < deadline, f"waited for {within_s} s"
        time.sleep(0.05)
    return value


def children_of(pid: int) -> dict[str, int]:
    """The supervisor's children: pid by command (serve, work)."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    found = re.findall(rf"^ *(\d+) +{pid} .*-m holdfast (\w+)", listed.stdout, re.MULTILINE)
    return {command: int(child) for child, command in found}


def alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in ("", "Z")


class Up:
    """A running `holdfast up`, which prints to files."""

    def __init__(self, data_dir: Path, *options: str) -> None:
        self.data_dir = data_dir
        self.out, self.err = data_dir.parent / "out", data_dir.parent / "err"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
        environ["HOLDFAST_REQUEST_DEADLINE_S"] = str(PATIENT_S)
        command = [
            sys.executable,
            "-m",
            "holdfast",
            "up",
            "--data-dir",
            str(data_dir),
            *options,
        ]
        with self.out.open("w") as out, self.err.open("a") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, env=environ)

    def url(self) -> str:
        """The address, when it has said that it is ready."""
        found = until(lambda: self._said() or self.process.poll() is not None)
        assert isinstance(found, str), self.err.read_text()
        return found

    def _said(self) -> str | None:
        said = re.search(r"API docs  (\S+)/docs", self.out.read_text())
        return said[1] if said else None

    def children(self) -> dict[str, int]:
        return children_of(self.process.pid)

    def both_children(self) -> dict[str, int] | None:
        """The children, when none of them is just being started again."""
        found = self.children()
        return found if set(found) == {"serve", "work"} else None


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    EmbeddedPostgres(tmp_path / "data").stop()


@pytest.fixture
def started() -> Iterator[list[Up]]:
    """What a test started is gone after it, however it ends."""
    running: list[Up] = []
    yield running
    for each in running:
        with suppress(ProcessLookupError):
            each.process.kill()
        each.process.wait()


def status(url: str) -> int | None:
    """What /readyz answers; None for no answer."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=SOON_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def test_it_comes_up_comes_back_and_goes_away(data_dir: Path, started: list[Up]) -> None:
    started.append(Up(data_dir, "--port", "0", "--demo"))
    url = started[0].url()
    port = url.rpartition(":")[2]
    assert status(url) == 200
    for example in until(lambda: _examples(started[0].out.read_text())):
        assert _pasted(example) == "200", example

    # The API is killed. Nobody is refused meanwhile: connections wait in the supervisor's socket.
    api = until(started[0].both_children)["serve"]
    os.kill(api, signal.SIGKILL)
    assert status(url) == 200
    assert until(lambda: started[0].children().get("serve")) != api

    # The worker is killed.
    worker = until(started[0].both_children)["work"]
    os.kill(worker, signal.SIGKILL)
    assert until(lambda: started[0].children().get("work", worker) != worker)

    # The database is killed.
    postgres = EmbeddedPostgres(data_dir)
    killed = postgres.running()
    assert killed is not None
    os.kill(killed.pid, signal.SIGKILL)
    server = until(lambda: None if (found := postgres.running()) in (None, killed) else found)
    until(lambda: status(url) == 200)

    # The supervisor is killed: its children end by themselves, the database waits for the next one.
    children = until(started[0].both_children)
    started[0].process.kill()
    started[0].process.wait()
    until(lambda: not any(map(alive, children.values())))
    assert postgres.running() == server

    started.append(Up(data_dir, "--port", port))
    assert started[1].url() == url
    assert postgres.running() == server
    children = until(started[1].both_children)

    started[1].process.terminate()
    assert started[1].process.wait(timeout=SOON_S) == 0
    assert postgres.running() is None
    assert not any(map(alive, children.values()))
    assert status(url) is None

    # Nobody had to be killed, for which there would have been ten seconds.
    assert STOP_API_S < STOP_WORKER_S < 10
    logged = [json.loads(line)["event"] for line in started[1].err.read_text().splitlines() if line[0] == "{"]
    assert logged[-3:] == ["stopping", "api_stopped", "worker_stopped"]


def test_a_port_in_use_is_said_in_one_sentence(data_dir: Path, started: list[Up]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        data_dir.parent.mkdir(exist_ok=True)
        started.append(Up(data_dir, "--port", str(port)))
        assert started[0].process.wait(SOON_S) == 1
    said = started[0].err.read_text()
    assert (
        said
        == f"Port {port} on 127.0.0.1 is in use: stop the program that uses it, or choose another --port.\n"
    )
    assert not (data_dir / "postgres").exists()


def _examples(said: str) -> list[str] | None:
    examples = re.findall(r"^export TOKEN=.*\ncurl .*(?=\n)", said, re.MULTILINE)
    return examples if len(examples) == 4 else None


def _pasted(example: str) -> str:
    """The status that the example gets when it is run by a shell."""
    script = f"{example} --silent --output /dev/null --write-out '%{{http_code}}'"
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False).stdout
