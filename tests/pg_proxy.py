"""A proxy before PostgreSQL that holds or cuts the connections of transactions at a point of theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from holdfast.kernel.embedded import Server

Point = Literal["before_lock", "after_lock", "between", "before_commit", "after_commit"]
"""`between`: at each statement between the lock and the commit."""
Action = Literal["hold", "cut"]
BYTES = 65_536


@dataclass(eq=False)
class _Link:
    """One connection to the server. `writes`: its transaction began with a lock."""

    writes: bool = False
    answer_is: Point | None = None
    """What the server's next answer is the answer to, if that is a point."""


@dataclass
class PgProxy:
    """`fault`: what is done to every transaction with a lock, and where; the others pass.

    What is held goes on when `release` is called, also if the client has gone by then: then the server gets what was
    on its way, and after it the end of the connection. `reached`: how many came to the point.
    """

    upstream: Path
    fault: tuple[Action, Point] | None = None
    reached: int = 0
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _links: set[asyncio.Task[None]] = field(default_factory=set)

    def set(self, action: Action, point: Point) -> None:
        self.fault, self.reached = (action, point), 0
        self._released.clear()

    def release(self) -> None:
        self.fault = None
        self._released.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until both sides have ended."""
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        up_reader, up_writer = await asyncio.open_unix_connection(self.upstream)
        link = _Link()
        try:
            await asyncio.gather(
                self._pump(reader, up_writer, link, up=True), self._pump(up_reader, writer, link, up=False)
            )
        finally:
            self._links.discard(task)
            for each in (writer, up_writer):
                each.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: _Link, *, up: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(BYTES):
                if not await self._passes(data, link, up=up):
                    writer.transport.abort()
                    return
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _passes(self, data: bytes, link: _Link, *, up: bool) -> bool:
        """Whether it goes on, after a pause where one is wanted."""
        point: Point | None
        if up:
            point, link.answer_is = _points(data, link)
        else:
            point, link.answer_is = link.answer_is, None
        if point is None or self.fault is None or self.fault[1] != point:
            return True
        self.reached += 1
        if self.fault[0] == "cut":
            return False
        await self._released.wait()
        return True

    async def close(self) -> None:
        self.release()
        for task in self._links:
            task.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)


def _points(data: bytes, link: _Link) -> tuple[Point | None, Point | None]:
    """The point that this of the client's comes to, and the one that its answer will be."""
    if b"BEGIN" in data:
        link.writes = b"lock" in data
        return ("before_lock", "after_lock") if link.writes else (None, None)
    if b"COMMIT\0" in data and link.writes:
        return "before_commit", "after_commit"
    return ("between", None) if link.writes else (None, None)


@asynccontextmanager
async def pg_proxy(upstream: Server, socket_dir: Path) -> AsyncIterator[tuple[PgProxy, str]]:
    """It runs for the block, with a socket in that directory; the proxy, and the URL of the database through it."""
    proxy = PgProxy(upstream.socket)
    through = replace(upstream, socket_dir=socket_dir)
    server = await asyncio.start_unix_server(proxy.serve, through.socket)
    try:
        yield proxy, through.url()
    finally:
        server.close()
        await proxy.close()
