"""What a process may do, as the system says."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from holdfast.kernel.embedded import Server
from holdfast.kernel.embedded.account import Account
from tests.processes import Running, children_of, start, stop

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it acts as other users")
SESSIONS = "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'holdfast'"


@asynccontextmanager
async def started(*words: str, log: Path, port: int, **settings: Any) -> AsyncIterator[Running]:
    process = start(*words, log=log, port=port, forked=False, **settings)
    try:
        await process.ready()
        yield process
    finally:
        await stop(process)


def ids(pid: int) -> dict[str, list[str]]:
    """What the system says of a process: users, groups, capabilities."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: text.split() for name, _, text in (line.partition(":") for line in lines)}


def assert_powerless(pid: int, app_user: Account) -> None:
    said = ids(pid)
    assert said["Uid"] == [str(app_user.uid)] * 4
    assert said["Gid"] == [str(app_user.gid)] * 4
    assert said["Groups"] == []
    assert {int(said[each][0], 16) for each in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}


def child(pid: int, command: str) -> int:
    return next(each for each, args in children_of(pid).items() if f"-m holdfast {command}" in args)


@contextmanager
def low_port() -> Iterator[int]:
    """A port that only root may take, held for the block so that nobody else gets it."""
    for port in range(1023, 600, -1):
        with socket.socket() as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                held.bind(("127.0.0.1", port))
            except OSError:
                continue
            yield port
            return
    raise AssertionError("no port below 1024 is free")


async def logged_in(server: Server) -> set[str]:
    connection = await asyncpg.connect(server.url())
    try:
        return {row[0] for row in await connection.fetch(SESSIONS)}
    finally:
        await connection.close()
