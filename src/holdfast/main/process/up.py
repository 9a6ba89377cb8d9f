"""`holdfast up`: database, API and worker under one supervisor, in the foreground."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import structlog

from holdfast.kernel.config import Settings
from holdfast.main.process.child import Child, wait_until_ready
from holdfast.main.process.database import check, embedded_server, keep_server, prepare
from holdfast.main.process.listen import base_url, listen
from holdfast.main.process.migrate import migrate
from holdfast.main.process.tokens import Persona, issuers

STOP_API_S = 8.4
STOP_WORKER_S = 9.2
"""Seconds after the signal at which API and worker are killed; the database stops in what is left of 10 s."""

log = structlog.get_logger(__name__)


async def up(settings: Settings, *, demo: bool) -> None:
    """Runs everything until SIGTERM, SIGINT or SIGHUP.

    1. Takes the port. 2. Starts or adopts the embedded server (or uses `database_url`), makes and
    migrates the database, loads the demo. 3. Starts the API and the worker, waits for /readyz and
    prints where to look. 4. Starts again whatever of them ends, the server too. 5. On a signal stops
    the API, then the worker, then the server.

    A supervisor that is killed takes its children with it, and leaves the server to the next one.
    Raises `Failed` when it doesn't get as far as step 4.
    """
    with until_signalled():
        issuers(settings)  # That they can't be had is said now, not by the API.
        with await listen(settings.host, settings.port) as listener:
            async with _database(settings) as (url, keeper):
                shown = await _load_demo(settings, url) if demo else []
                async with _children(settings, url, listener) as (api, keepers):
                    if keeper is not None:
                        keepers.append(keeper)
                    await wait_until_ready(listener, api)
                    print_welcome(settings, base_url=base_url(listener), personas=shown)
                    await asyncio.gather(*keepers)


@contextmanager
def until_signalled() -> Iterator[None]:
    """Ends the block at the first signal. Later ones change nothing: it is stopping already."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        if len(received) == 1:
            log.info("stopping", signal=number.name)
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # nohup has SIGHUP ignored: the terminal's end is not to be the end of this.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, stop, number)
    try:
        yield
    except asyncio.CancelledError:
        if not received:
            raise


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[tuple[str, asyncio.Task[None] | None]]:
    """The URL of the database, and the task that starts its server again, if that is ours to do."""
    if settings.database_url:
        await migrate(settings.database_url)
        await check(settings.database_url, settings)
        yield settings.database_url, None
        return
    async with embedded_server(settings) as (postgres, server):
        url = await prepare(server, settings)
        keeper = asyncio.create_task(keep_server(postgres, server), name="database")
        try:
            yield url, keeper
        finally:
            await _cancelled(keeper)


@asynccontextmanager
async def _children(
    settings: Settings, url: str, listener: socket.socket
) -> AsyncIterator[tuple[Child, list[asyncio.Task[None]]]]:
    """API and worker, running for the block; the tasks keep them so."""
    environ = os.environ | settings.model_copy(update={"database_url": url}).environ()
    fd = listener.fileno()
    api = Child("serve", "--listener-fd", str(fd), environ=environ, pass_fds=[fd])
    worker = Child("work", environ=environ)
    keepers = [asyncio.create_task(child.keep(), name=child.command) for child in (api, worker)]
    try:
        yield api, keepers
    finally:
        # Nobody takes connections any more: from here on they are refused instead of left waiting.
        listener.close()
        await _cancelled(*keepers)
        told = time.monotonic()
        await api.stop(timeout_s=STOP_API_S)
        await worker.stop(timeout_s=STOP_WORKER_S - (time.monotonic() - told))


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _load_demo(settings: Settings, url: str) -> list[Persona]:
    # Only now: it needs the domain, and the supervisor does not.
    from holdfast.main.process.load_demo import load_cast

    return await load_cast(settings, url)


def print_welcome(settings: Settings, *, base_url: str, personas: Sequence[Persona]) -> None:
    """Where to look; on a terminal in colour, elsewhere plain."""
    lines = welcome(settings, base_url=base_url, personas=personas)
    if not sys.stdout.isatty():
        print("\n".join(lines), flush=True)
        return
    from rich.console import Console

    console = Console(highlight=True)
    for line in lines:
        # Commands may be longer than a line of the terminal: wrapped, they could not be copied.
        console.print(line, soft_wrap=True, markup=False)


def welcome(settings: Settings, *, base_url: str, personas: Sequence[Persona]) -> list[str]:
    """The lines."""
    database = (
        "HOLDFAST_DATABASE_URL" if settings.database_url else f"embedded, in {settings.data_dir.resolve()}"
    )
    lines = [
        "Holdfast is ready.",
        f"  API docs  {base_url}/docs",
        f"  API       {base_url}/api/v1",
        f"  Metrics   {base_url}/metrics",
        f"  Database  {database}",
        "Ctrl-C stops everything.",
    ]
    for persona in personas:
        lines += [
            "",
            f"As {persona.role}, for an hour:",
            f'export TOKEN="$({persona.command})"',
            f'curl -H "Authorization: Bearer $TOKEN" {base_url}{persona.path}',
        ]
    return lines
