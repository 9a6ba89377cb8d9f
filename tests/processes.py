"""Processes of Holdfast that tests start, harm and stop."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from holdfast.kernel.embedded.model import LOGIN, SUPERUSER
from tests.forks import Forked

T = TypeVar("T")
SOON_S = 60.0
STOP_S_MAX = 60.0
PATIENT_S = 60.0
"""The time of requests wherever tests are not about it: a slow machine is not what they look for."""


async def until(found: Callable[[], Awaitable[T | None]], *, within_s: float = SOON_S) -> T:
    """What `found` answers as soon as it answers something."""
    deadline = time.monotonic() + within_s
    while not (value := await found()):
        assert time.monotonic() < deadline, f"waited for {within_s} s"
        await asyncio.sleep(0.02)
    return value


@dataclass(slots=True)
class Running:
    """A process, and where it says what it does. `port`: of an API."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    async def kill(self) -> None:
        """It is gone at once, as if the machine had lost it."""
        self.process.kill()
        await asyncio.to_thread(self.process.wait)

    async def ready(self, *, within_s: float = SOON_S) -> None:
        """/readyz has answered 200."""

        async def answers() -> bool:
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            return await asyncio.to_thread(status, self.port, "/readyz") == 200

        await until(answers, within_s=within_s)


def status(port: int, path: str, *, timeout_s: float = 5.0) -> int | None:
    """What a GET there answers; None for no answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout_s) as response:
            return response.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return None


def start(
    *words: str, log: Path, port: int = 0, before: Sequence[str] = (), forked: bool = True, **settings: Any
) -> Running:
    """`holdfast <words>` with these settings (`pool_max=1`) and no others; `before`: what runs it.

    `forked`: by a process that has imported Holdfast, unless `before` needs a new interpreter.
    It is not given the superuser of a server that the tests started, but the plain role that it would log in as.
    """
    if "database_url" in settings:
        plain = f"postgresql://{LOGIN}@/"
        settings["database_url"] = settings["database_url"].replace(f"postgresql://{SUPERUSER}@/", plain)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    environ |= {f"HOLDFAST_{name.upper()}": str(value) for name, value in settings.items()}
    if port:
        environ["HOLDFAST_PORT"] = str(port)
    with log.open("ab") as out:
        if forked and not before:
            return Running(Forked(words, env=environ, stdout=out, stderr=out), log, port)
        command = [*before, sys.executable, "-m", "holdfast", *words]
        return Running(subprocess.Popen(command, env=environ, stdout=out, stderr=out), log, port)


@asynccontextmanager
async def running(*words: str, log: Path, port: int = 0, **settings: Any) -> AsyncIterator[Running]:
    """The same for the block; an API is ready when it begins, and everything is gone when it ends."""
    started = start(*words, log=log, port=port, **settings)
    try:
        if port:
            await started.ready()
        yield started
    finally:
        await stop(started)


@asynccontextmanager
async def serving(url: str, data_dir: Path, **settings: Any) -> AsyncIterator[Running]:
    """An API of its own on that database, which need not be a safe one."""
    usual = {"database_url": url, "data_dir": data_dir, "unsafe_database": 1, "request_deadline_s": PATIENT_S}
    with reserved_port() as port:
        log = data_dir / f"serve-{port}.log"
        async with running("serve", log=log, port=port, **{**usual, **settings}) as api:
            yield api


async def stop(started: Running) -> None:
    """It has ended: in order if it does that in time."""
    if started.process.poll() is None:
        started.process.send_signal(signal.SIGCONT)
        started.process.terminate()
        try:
            await asyncio.to_thread(started.process.wait, STOP_S_MAX)
        except subprocess.TimeoutExpired:
            started.process.kill()
            await asyncio.to_thread(started.process.wait)
            raise AssertionError(f"it did not stop: {started.log.read_text()[-2000:]}") from None


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port of this machine for the block: nobody gets it by chance, and who is told of it can listen there."""
    with socket.socket() as held:
        # Both ends with this option, and this one does not listen: the system lets the other bind it too.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def children_of(pid: int) -> dict[int, str]:
    """The command lines of a process's children, by pid."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    found = re.findall(rf"^ *(\d+) +{pid} +(.*)$", listed.stdout, re.MULTILINE)
    return {int(child): args for child, args in found}


def send(number: signal.Signals, *pids: int) -> None:
    """The signal, to those of the processes that still live."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
