"""Many readers of live streams in one process, as cheap as possible: they record when each version arrived."""

from __future__ import annotations

import asyncio
import re
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

AT_ONCE = 100
OPEN_S_MAX = 60.0
FILES_SPARE = 500
_VERSION = re.compile(rb'"version":(\d+)')


class Reader(asyncio.Protocol):
    """One stream. Records in `came` the time and version of each frame."""

    def __init__(self, request: bytes, came: list[tuple[float, int]], opened: asyncio.Future[None]) -> None:
        self._request = request
        self._came = came
        self._opened = opened
        self._rest = b""
        self.ended = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if self._rest:
            data = self._rest + data
        end = data.rfind(b"\n\n") + 2
        if end < 2:
            self._rest = data
            return
        self._rest = data[end:] if len(data) - end > 2 else b""  # the end of a chunk is not a frame
        for version in _VERSION.findall(data, 0, end):
            self._came.append((now, int(version)))
        if not self._opened.done():
            if not data.startswith(b"HTTP/1.1 200"):
                self._opened.set_exception(RuntimeError(f"no stream: {data[:200]!r}"))
            elif b"retry:" in data:
                self._opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        if not self._opened.done():
            self._opened.set_exception(exc or ConnectionResetError("the stream ended before it began"))


class Readers:
    """All readers. `came`: (perf_counter, version) of each frame of any reader, in order."""

    def __init__(self) -> None:
        self.came: list[tuple[float, int]] = []
        self.all: list[Reader] = []

    async def open(self, port: int, request: bytes) -> None:
        """Opens another stream and waits until it has begun."""
        loop = asyncio.get_running_loop()
        opened = loop.create_future()
        _, reader = await loop.create_connection(
            lambda: Reader(request, self.came, opened), "127.0.0.1", port
        )
        await asyncio.wait_for(opened, OPEN_S_MAX)
        self.all.append(reader)

    async def got(self, count: int, *, within_s: float) -> None:
        """Waits until that many frames have arrived, or the time is over."""
        until = time.perf_counter() + within_s
        # Waking up for each frame would cost as much as reading it.
        while len(self.came) < count and time.perf_counter() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    @property
    def ended(self) -> int:
        """The number of streams that have ended."""
        return sum(each.ended for each in self.all)


@asynccontextmanager
async def readers(port: int, requests: list[bytes]) -> AsyncIterator[Readers]:
    """A stream for each request, all open during the block."""
    made = Readers()
    at_once = asyncio.Semaphore(AT_ONCE)

    async def one(request: bytes) -> None:
        async with at_once:
            await made.open(port, request)

    try:
        await asyncio.gather(*map(one, requests))
        yield made
    finally:
        for each in made.all:
            each.transport.abort()
        await asyncio.sleep(0.2)


def more_files() -> int:
    """Raises the limit on open files, also for child processes. Returns how many streams fit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard - FILES_SPARE
