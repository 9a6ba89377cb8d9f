"""The services that tests need beside the package: where they are, and what happens without them.

`scripts/test-services` installs them. A test asks with `postgres15()` or the fixture `redis_server`; without the
service it is skipped, and the end of the run says so loudly. With HOLDFAST_REQUIRE_SERVICES=1 it fails
instead. conftest.py registers `LeftOut`.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

POSTGRES_15 = "PostgreSQL 15, the oldest supported version"
POSTGRES_15_PLACES = (
    "/usr/lib/postgresql/15/bin",  # Debian, Ubuntu
    "/usr/pgsql-15/bin",  # Red Hat
    "/opt/homebrew/opt/postgresql@15/bin",
    "/usr/local/opt/postgresql@15/bin",
)

NGINX = "nginx"
REDIS = "Redis"
REDIS_READY_S_MAX = 60.0

_left_out: dict[str, set[str]] = {}


def postgres15_bin() -> Path | None:
    """The directory of PostgreSQL 15's programs (HOLDFAST_POSTGRES15_BIN or a usual place), if any."""
    named = os.environ.get("HOLDFAST_POSTGRES15_BIN")
    places = [Path(place) for place in ((named,) if named else POSTGRES_15_PLACES)]
    return next((place for place in places if (place / "postgres").is_file()), None)


def postgres15() -> Path:
    """The same for a test that can't do without: it is skipped or, if services are required, fails."""
    found = postgres15_bin()
    if found is None:
        leave_out(POSTGRES_15)
    return found


class RedisServer:
    """A Redis of the tests' own, on a Unix socket in a directory of its own; it keeps nothing on disk unless asked."""

    def __init__(self, program: str, place: Path) -> None:
        self._program = program
        self.place = place
        self.socket = place / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Starts it; ready when this returns. `options`: of redis-server, such as `--maxmemory 2mb`."""
        arguments = [f"--port 0 --unixsocket {self.socket} --dir {self.place} --save", "", *options]
        words = [word for each in arguments for word in (each.split() or [""])]
        with (self.place / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([self._program, *words], stdout=log, stderr=log)
        give_up_at = time.monotonic() + REDIS_READY_S_MAX
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                pytest.fail(f"Redis did not start: {(self.place / 'redis.log').read_text()[-500:]}")
            time.sleep(0.01)

    def _answers(self) -> bool:
        return self.ask("PING").startswith(b"+PONG")

    def ask(self, *words: str) -> bytes:
        """The raw answer to a command; nothing if there is none."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(2)
                client.connect(str(self.socket))
                client.sendall((" ".join(words) + "\r\n").encode())
                return client.recv(65536)
        except OSError:
            return b""

    def send(self, number: signal.Signals) -> None:
        """Sends a signal: SIGKILL, or SIGSTOP and SIGCONT for one that hangs."""
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait(10)

    def stop(self) -> None:
        """Ends it, however it is."""
        if self._process is not None and self._process.poll() is None:
            self.send(signal.SIGKILL)


@contextmanager
def redis_running() -> Iterator[RedisServer]:
    """A Redis for the block; the running test is skipped or, if services are required, fails without."""
    program = shutil.which("redis-server")
    if program is None:
        leave_out(REDIS)
    place = Path(tempfile.mkdtemp(prefix="holdfast-redis-"))
    server = RedisServer(program, place)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis that belongs to the test."""
    with redis_running() as server:
        yield server


def leave_out(service: str) -> NoReturn:
    """Ends the running test, because `service` is not here."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "?").rpartition(" ")[0]
    _left_out.setdefault(service, set()).add(test)
    if services_required():
        pytest.fail(f"{service} is not installed, and HOLDFAST_REQUIRE_SERVICES=1: run scripts/test-services")
    pytest.skip(f"{service} is not installed: run scripts/test-services")


def services_required() -> bool:
    """Whether a missing service is a failure."""
    return os.environ.get("HOLDFAST_REQUIRE_SERVICES", "") not in ("", "0")


class LeftOut:
    """Says at the end of the run which services were missing and what was not tested for that."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_sessionfinish(self) -> None:
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["left_out"] = {service: sorted(tests) for service, tests in _left_out.items()}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        for service, tests in getattr(node, "workeroutput", {}).get("left_out", {}).items():
            _left_out.setdefault(service, set()).update(tests)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for service, tests in sorted(_left_out.items()):
            terminalreporter.section(f"NOT TESTED: {service} is missing", sep="!", red=True, bold=True)
            for test in sorted(tests):
                terminalreporter.write_line(f"  {test}", red=True)
            terminalreporter.write_line("Run scripts/test-services as root, or install it by hand.")
