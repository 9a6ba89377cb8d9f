"""A bare server beside Holdfast's: it keeps connections, and writes to all of them what it is given.

`python -m bench.fan_out PORT`. A request for /live is answered like a stream that never says anything; what comes
on a connection that begins with `TELL ` is written to all of these at once.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    b"d\r\nretry: 1000\n\n\r\n"
)
TELL = b"TELL "


class Connection(asyncio.Protocol):
    """A reader, or the one who tells."""

    readers: set[Any] = set()  # noqa: RUF012  # of the process

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
    """Serves until it is ended."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
