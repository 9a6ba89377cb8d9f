"""A proxy before the API that loses, cuts and garbles frames of its streams when it is told to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import httpx

Fault = Literal["drop", "cut", "truncate", "other_epoch"]
RETRY_MS = 20
"""What clients are told in place of the seconds that the API says."""


class Cut(Exception):
    """The connection is to be broken here."""


class Ended(Exception):
    """The connection is to end here, once what was written is sent."""


@dataclass
class FaultProxy:
    """`fault`: what to do to the next frame of an event. `refuse`: so many connections get a 503 first.

    `done`: the faults that were made, in order; `refused`: how many connections were.
    """

    upstream: str
    port: int = 0
    fault: Fault | None = None
    refuse: int = 0
    done: list[Fault] = field(default_factory=list)
    refused: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection with one request."""
        try:
            await self._answer(await reader.readuntil(b"\r\n\r\n"), writer)
        except (Cut, OSError, asyncio.IncompleteReadError, httpx.HTTPError):
            writer.transport.abort()
        except Ended:
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        if self.refuse:
            self.refuse, self.refused = self.refuse - 1, self.refused + 1
            writer.write(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return
        path = head.split(b" ", 2)[1].decode()
        token = re.search(rb"(?i)^authorization: *(.+?)\r$", head, re.MULTILINE)
        headers = {"authorization": token[1].decode()} if token else {}
        async with (
            httpx.AsyncClient(timeout=None) as client,
            client.stream("GET", self.upstream + path, headers=headers) as response,
        ):
            content_type = response.headers["content-type"]
            writer.write(f"HTTP/1.1 {response.status_code} X\r\ncontent-type: {content_type}\r\n".encode())
            writer.write(b"connection: close\r\n\r\n")
            if content_type.startswith("text/event-stream"):
                await self._stream(response, writer)
            else:
                writer.write(await response.aread())

    async def _stream(self, response: httpx.Response, writer: asyncio.StreamWriter) -> None:
        buffer = b""
        async for piece in response.aiter_bytes():
            *frames, buffer = (buffer + piece).split(b"\n\n")
            for frame in frames:
                await self._pass(frame + b"\n\n", writer)

    async def _pass(self, frame: bytes, writer: asyncio.StreamWriter) -> None:
        fault = self.fault if b"data:" in frame else None
        if fault is not None:
            self.fault = None
            self.done.append(fault)
        if fault == "cut":
            raise Cut
        if fault == "truncate":
            writer.write(frame[: len(frame) // 2])
            raise Ended
        if fault == "other_epoch":
            frame = re.sub(rb'"epoch":"[^"]+"', b'"epoch":"elsewhere"', frame)
        if fault != "drop":
            writer.write(re.sub(rb"(?m)^retry: \d+", b"retry: %d" % RETRY_MS, frame))
            await writer.drain()


@asynccontextmanager
async def fault_proxy(upstream: str) -> AsyncIterator[FaultProxy]:
    """It runs for the block; all its connections are gone afterwards."""
    proxy = FaultProxy(upstream)
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        await proxy.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
