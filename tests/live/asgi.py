"""A stream from the application itself, without a server: it gives no connection away, so that this is the way
that frames go under other servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import orjson

from tests.live.reading import WITHIN_S, Frame, Reader


class Asked(Reader):
    """A stream that is fed with ASGI messages instead of bytes from a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.stuck = asyncio.Event()
        self.stuck.set()
        self._gone = asyncio.Event()
        self._first = True

    async def receive(self) -> dict[str, Any]:
        if self._first:
            self._first = False
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        await self.stuck.wait()
        self.messages.put_nowait(message)

    async def _chunk(self) -> bytes:
        return (await self.messages.get()).get("body", b"")

    async def start(self) -> None:
        message = await asyncio.wait_for(self.messages.get(), WITHIN_S)
        self.status = message["status"]
        self.headers = {name.decode(): value.decode() for name, value in message["headers"]}

    async def body(self) -> Any:
        return orjson.loads(await self._chunk())

    def close(self) -> None:
        self._gone.set()


@asynccontextmanager
async def asked(app: Any, *channels: str, token: str | None = None, **query: str) -> AsyncIterator[Asked]:
    """A stream of the application, whose head has come, for the block."""
    headers = [(b"host", b"holdfast.test")]
    if token is not None:
        headers.append((b"authorization", f"Bearer {token}".encode()))
    query_string = urlencode([("channel", each) for each in channels] + list(query.items())).encode()
    stream = Asked()
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/api/v1/live", "raw_path": b"/api/v1/live", "query_string": query_string, "root_path": "",
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("holdfast.test", 80), "state": {},
    }  # fmt: skip
    task = asyncio.create_task(app(scope, stream.receive, stream.send))
    try:
        await stream.start()
        yield stream
    finally:
        stream.stuck.set()
        stream.close()
        await asyncio.wait_for(task, WITHIN_S)


async def opening(stream: Asked) -> Frame:
    """The first block."""
    assert stream.status == 200, await stream.body()
    first = await stream.next()
    assert first is not None
    return first
