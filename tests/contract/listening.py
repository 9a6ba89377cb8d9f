"""Readers of live channels that keep what they got, over both transports."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

Json = dict[str, Any]


@dataclass
class Heard:
    """What a reader got: of server-sent events their fields with `data` parsed, of a WebSocket the messages."""

    frames: list[Json] = field(default_factory=list)
    socket: ClientConnection | None = None

    def has(self, channel: str, version: int) -> bool:
        """Whether it was told of that version of the channel, or of a later one."""
        bodies = [frame.get("data", frame) for frame in self.frames]
        return any(each.get("channel") == channel and each.get("version", -1) >= version for each in bodies)

    async def ask(self, message: Json) -> None:
        assert self.socket is not None
        await self.socket.send(json.dumps(message))


@asynccontextmanager
async def server_sent_events(url: str, channels: list[str], headers: dict[str, str]) -> AsyncIterator[Heard]:
    """Reads these channels for the block; it has begun when the block does."""
    heard = Heard()
    async with (
        httpx.AsyncClient(timeout=None) as client,
        client.stream("GET", f"{url}/api/v1/live", params={"channel": channels}, headers=headers) as response,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        reading = asyncio.create_task(_read(response, heard))
        try:
            yield heard
        finally:
            await _end(reading)


async def _read(response: httpx.Response, heard: Heard) -> None:
    frame: Json = {}
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if line and not line.startswith(":"):
            frame[name] = json.loads(value) if name == "data" else value
        elif frame:
            heard.frames.append(frame)
            frame = {}


@asynccontextmanager
async def web_socket(url: str, headers: dict[str, str]) -> AsyncIterator[Heard]:
    """An open socket with no channels yet."""
    address = url.replace("http", "ws", 1) + "/api/v1/live/ws"
    async with connect(address, additional_headers=headers) as socket:
        heard = Heard(socket=socket)
        reading = asyncio.create_task(_listen(socket, heard))
        try:
            yield heard
        finally:
            await _end(reading)


async def _listen(socket: ClientConnection, heard: Heard) -> None:
    async for message in socket:
        heard.frames.append(json.loads(message))


async def _end(reading: asyncio.Task[None]) -> None:
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
