"""A child process that the supervisor restarts whenever it ends, and the check that the API is ready."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from holdfast.main.process.listen import address
from holdfast.main.process.outcome import Failed

PAUSE_S_MIN = 0.2
PAUSE_S_MAX = 5.0
STEADY_S = 10.0
"""A child that lived this long counts as healthy: its restart delay goes back to PAUSE_S_MIN."""

STDIN = 0
END_TIMEOUT_S = 9.0
READY_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 5.0
LOOK_EVERY_S = 0.05
ENDS_MAX = 3
REQUEST = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

log = structlog.get_logger(__name__)


class Child:
    """`holdfast <command>` as a child process, restarted whenever it ends.

    It runs in its own session, so that Ctrl-C reaches only the supervisor, which stops everything in order. Its
    standard input is a pipe from the supervisor: end-of-file tells the child that the supervisor is gone.
    """

    def __init__(
        self, command: str, *options: str, environ: Mapping[str, str], pass_fds: Sequence[int] = ()
    ) -> None:
        self.command = command
        self.ends = 0
        """How many times it has ended."""
        self._words = [sys.executable, "-m", "holdfast", command, "--child", *options]
        self._environ = dict(environ)
        self._pass_fds = pass_fds
        self._process: Process | None = None

    async def keep(self) -> None:
        """Runs it until cancelled; restarts it after 0.2 s, 0.4 s ... 5 s."""
        pause_s = PAUSE_S_MIN
        while True:
            started = time.monotonic()
            code = await self.run()
            self.ends += 1
            if time.monotonic() - started > STEADY_S:
                pause_s = PAUSE_S_MIN
            log.error("child_ended", child=self.command, code=code, restart_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S_MAX)

    async def run(self) -> int:
        """Runs it once and returns its exit code."""
        self._process = await asyncio.create_subprocess_exec(
            *self._words, stdin=PIPE, env=self._environ, pass_fds=self._pass_fds, start_new_session=True
        )
        log.debug("child_started", child=self.command, pid=self._process.pid)
        return await self._process.wait()

    async def stop(self, *, timeout_s: float) -> None:
        """Stops it: SIGTERM, then SIGKILL after `timeout_s`. Call it when `keep` or `run` is over."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), timeout_s)
        except TimeoutError:
            log.error("child_killed", child=self.command, waited_s=timeout_s)
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def end_with_parent() -> None:
    """Makes this process end when its standard input does: with SIGTERM, or after END_TIMEOUT_S by force.

    The supervisor holds the other end of that pipe; the operating system closes it even after kill -9.
    """
    threading.Thread(target=_wait, name="end with parent", daemon=True).start()


def _wait() -> None:
    while os.read(STDIN, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_TIMEOUT_S)
    os._exit(1)


async def wait_until_ready(listener: socket.socket, api: Child) -> None:
    """Waits until /readyz returns 200. Raises `Failed` if the API keeps ending or takes longer than 60 s."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    answered = "nothing"
    while time.monotonic() < deadline:
        if api.ends >= ENDS_MAX:
            raise Failed(f"The API ended {api.ends} times before it was ready; the messages above say why.")
        answered = await _ask(*address(listener)) or answered
        if answered.split(" ")[1:2] == ["200"]:
            return
        await asyncio.sleep(LOOK_EVERY_S)
    raise Failed(f"The API is not ready after {READY_TIMEOUT_S:.0f} s: /readyz answers {answered}.")


async def _ask(host: str, port: int) -> str:
    """Returns the status line; empty if there is none yet."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(REQUEST)
                return (await reader.readline()).decode("latin-1").strip()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return ""
