"""Readers of live streams, on real connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from tests.processes import SOON_S

WITHIN_S = SOON_S
TTLS_S = (1, 5, 25)
"""Of tokens that are to end soon: a slow machine needs one that lasts until it has connected."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One block of a stream of server-sent events."""

    id: str | None
    event: str | None
    data: dict[str, Any] | None
    retry: int | None = None

    @property
    def version(self) -> int:
        assert self.data is not None
        return self.data["version"]


class Reader(asyncio.Protocol):
    """One stream of server-sent events. `cursor`: the last `id` that came."""

    def __init__(self) -> None:
        self._received = b""
        self._text = b""
        self._more = asyncio.Event()
        self._lost = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.cursor: str | None = None
        self.comments = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._more.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._more.set()

    async def _until(self, end: bytes) -> bytes:
        while end not in self._received:
            await self._wait()
        found, _, self._received = self._received.partition(end)
        return found

    async def _exactly(self, count: int) -> bytes:
        while len(self._received) < count:
            await self._wait()
        found, self._received = self._received[:count], self._received[count:]
        return found

    async def _wait(self) -> None:
        if self._lost:
            raise ConnectionResetError("the stream was cut off")
        self._more.clear()
        await self._more.wait()

    async def head(self) -> None:
        first, *lines = (await self._until(b"\r\n\r\n")).split(b"\r\n")
        self.status = int(first.split()[1])
        for line in lines:
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()

    async def body(self) -> Any:
        """What a refusal says."""
        return orjson.loads(await self._exactly(int(self.headers["content-length"])))

    async def next(self, *, within_s: float = WITHIN_S) -> Frame | None:
        """The next block that is no comment; None when the stream has ended. Raises TimeoutError, and
        ConnectionResetError for one that was cut off."""
        async with asyncio.timeout(within_s):
            while True:
                block, found, rest = self._text.partition(b"\n\n")
                if not found:
                    chunk = await self._chunk()
                    if not chunk:
                        return None
                    self._text += chunk
                    continue
                self._text = rest
                if block.startswith(b":"):
                    self.comments += 1
                    if block.startswith(b":\nid: "):
                        self.cursor = block[6:].decode()
                    continue
                return self._frame(block.decode())

    async def _chunk(self) -> bytes:
        length = int(await self._until(b"\r\n"), 16)
        return (await self._exactly(length + 2))[:-2]

    def _frame(self, block: str) -> Frame:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            assert name not in fields, block
            fields[name] = value
        self.cursor = fields.get("id", self.cursor)
        data, retry = fields.get("data"), fields.get("retry")
        return Frame(
            fields.get("id"),
            fields.get("event"),
            None if data is None else orjson.loads(data),
            None if retry is None else int(retry),
        )

    async def take(self, count: int) -> list[Frame]:
        """The next so many events or resets."""
        found: list[Frame] = []
        while len(found) < count:
            frame = await self.next()
            assert frame is not None, f"the stream ended after {len(found)} of {count}"
            if frame.event is not None:
                found.append(frame)
        return found

    async def nothing(self, *, for_s: float = 0.2) -> None:
        """Nothing but the opening comes in that time."""
        try:
            while (frame := await self.next(within_s=for_s)) is not None:
                assert frame.event is None, frame
        except TimeoutError:
            return
        raise AssertionError("the stream ended")

    def close(self) -> None:
        self.transport.abort()


async def connect(
    port: int,
    *channels: str,
    token: str | None = None,
    after: str | None = None,
    last_event_id: str | None = None,
    query_token: str | None = None,
) -> Reader:
    """A stream of these channels; look at its status."""
    query = "&".join(f"channel={quote(each, safe='')}" for each in channels)
    if after is not None:
        query += f"&after={quote(after, safe='')}"
    if query_token is not None:
        query += f"&access_token={query_token}"
    head = f"GET /api/v1/live?{query} HTTP/1.1\r\nHost: localhost\r\n"
    if token is not None:
        head += f"Authorization: Bearer {token}\r\n"
    if last_event_id is not None:
        head += f"Last-Event-ID: {last_event_id}\r\n"
    _, stream = await asyncio.get_running_loop().create_connection(Reader, "127.0.0.1", port)
    stream.transport.write(head.encode() + b"\r\n")
    await asyncio.wait_for(stream.head(), WITHIN_S)
    return stream


@asynccontextmanager
async def stream(port: int, *channels: str, **how: Any) -> AsyncIterator[Reader]:
    """The same for the block; it must be answered with 200."""
    opened = await connect(port, *channels, **how)
    try:
        assert opened.status == 200, await opened.body()
        yield opened
    finally:
        opened.close()


async def opened(port: int, *channels: str, **how: Any) -> Reader:
    """A stream whose opening has come."""
    made = await connect(port, *channels, **how)
    assert made.status == 200, await made.body()
    first = await made.next()
    assert first is not None
    assert first.retry is not None
    assert 1_000 <= first.retry <= 5_000
    return made


def versions(frames: Sequence[Frame]) -> list[int]:
    """The versions of events, in order."""
    return [frame.version for frame in frames]
