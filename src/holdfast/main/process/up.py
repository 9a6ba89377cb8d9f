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
"""Seconds after the signal until API and worker are killed; the database stops in the rest of 10 s."""

log = structlog.get_logger(__name__)


async def up(settings: Settings, *, demo: bool) -> None:
    """Runs everything until SIGTERM, SIGINT or SIGHUP.

    1. Takes the port. 2. Starts or joins the embedded server (or uses `database_url`), creates and migrates the
       database,
    loads the demo. 3. Starts the API and the worker, waits for /readyz and prints the addresses. 4. Restarts whatever
    ends, the server included. 5. On a signal, stops the API, then the worker, then the server.
    If the supervisor is killed, its children end too; the server keeps running for the next supervisor.
    Raises `Failed` if it does not reach step 4.
    """
    with until_signalled(), await listen(settings.host, settings.port) as listener:
        issuers(settings)  # Reports invalid settings now instead of in the API's log.
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
    """Ends the block at the first signal; ignores later ones, as it is stopping already."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        if len(received) == 1:
            log.info("stopping", signal=number.name)
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # Under nohup, SIGHUP is ignored: closing the terminal must not end this process.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, stop, number)
    try:
        yield
    except asyncio.CancelledError:
        if not received:
            raise


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[tuple[str, asyncio.Task[None] | None]]:
    """The database's URL, and the task that restarts its server if the server is ours."""
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
    """Runs API and worker for the block; yields the API and the tasks that restart both."""
    environ = os.environ | settings.model_copy(update={"database_url": url}).environ()
    fd = listener.fileno()
    api = Child("serve", "--listener-fd", str(fd), environ=environ, pass_fds=[fd])
    worker = Child("work", environ=environ)
    keepers = [asyncio.create_task(child.keep(), name=child.command) for child in (api, worker)]
    try:
        yield api, keepers
    finally:
        # Stop listening: from here on connections are refused instead of left waiting.
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
    # Imported only here: it needs the domain, the supervisor does not.
    from holdfast.main.process.load_demo import load_cast

    return await load_cast(settings, url)


def print_welcome(settings: Settings, *, base_url: str, personas: Sequence[Persona]) -> None:
    """Prints the addresses; in colour on a terminal, otherwise plain."""
    lines = welcome(settings, base_url=base_url, personas=personas)
    if not sys.stdout.isatty():
        print("\n".join(lines), flush=True)
        return
    from rich.console import Console

    console = Console(highlight=True)
    for line in lines:
        # Commands may be longer than a terminal line; hard-wrapped, they could not be copied.
        console.print(line, soft_wrap=True, markup=False)


def welcome(settings: Settings, *, base_url: str, personas: Sequence[Persona]) -> list[str]:
    """Returns the lines to print."""
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
