"""A bare server to compare with Holdfast's: it keeps connections open and writes the data it gets to all of them.

`python -m bench.fan_out PORT`. A request for /live gets the response of a stream without events. Data on a connection
that begins with `TELL ` is written to all streams at once.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import uvloop

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    b"d\r\nretry: 1000\n\n\r\n"
)
TELL = b"TELL "


class Connection(asyncio.Protocol):
    """A reader, or the connection that sends the data."""

    readers: set[Any] = set()  # noqa: RUF012  # shared by the process

    def __init__(self) -> None:
        self._teller = False
        self._rest = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data.startswith(TELL):
            self._teller, data = True, data.removeprefix(TELL)
        if not self._teller:
            self._transport.write(HEAD)
            self.readers.add(self._transport)
            return
        *parts, self._rest = (self._rest + data).split(b"\0")
        for part in parts:
            for reader in self.readers:
                reader.write(part)

    def connection_lost(self, exc: Exception | None) -> None:
        self.readers.discard(self._transport)


async def main(port: int) -> None:
    """Serves until it is terminated."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[int]:
    """The port of such a server, in a separate process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (directory / "fan_out.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.fan_out", str(port), stdout=log, stderr=log
        )
    try:
        for _ in range(200):
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def teller(port: int) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Yields a function that sends a frame as long as one of Holdfast's to all readers and returns its version."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(TELL)
    versions = iter(range(1, sys.maxsize))

    async def tell() -> int:
        version = next(versions)
        frame = b'id: bench\nevent: availability.updated\ndata: {"version":%d,"x":"%b"}\n\n' % (
            version,
            b"x" * 380,
        )
        writer.write(b"%x\r\n%b\r\n\0" % (len(frame), frame))
        return version

    try:
        yield tell
    finally:
        writer.close()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
