"""A crowd: clients with open connections that send their requests at the same moment and keep the responses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

ANSWER_S_MAX = 75.0
"""A client without a response by then considers the connection lost."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, and the `ms` it took. `status` 0: none; the connection ended."""

    status: int
    ms: float
    head: bytes = b""
    body: bytes = b""

    def json(self) -> Any:
        """Returns the parsed body."""
        return orjson.loads(self.body)

    def header(self, name: str) -> str | None:
        """Returns the header's value, or None."""
        at = self.head.lower().find(b"\r\n%b:" % name.lower().encode())
        if at < 0:
            return None
        return self.head[at + len(name) + 3 :].split(b"\r\n", 1)[0].strip().decode()


class _Wire(asyncio.Protocol):
    """One connection: one request at a time; responses must have a Content-Length."""

    def __init__(self) -> None:
        self.open = False
        self._received = b""
        self._asked_at = 0.0
        self._waiting: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: Any) -> None:
        self.open, self._transport = True, transport

    def ask(self, request: bytes) -> asyncio.Future[Answer]:
        assert self._waiting is None or self._waiting.done(), "one request at a time"
        self._waiting = asyncio.get_running_loop().create_future()
        self._asked_at = time.perf_counter()
        self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        at = received.lower().find(b"content-length:", 0, end)
        length = int(received[at + 15 : received.find(b"\r\n", at)])
        if len(received) >= end + 4 + length:
            self._received = b""
            self._answered(int(received[9:12]), received[: end + 2], received[end + 4 :])

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._answered(0)

    def _answered(self, status: int, head: bytes = b"", body: bytes = b"") -> None:
        if self._waiting is not None and not self._waiting.done():
            ms = (time.perf_counter() - self._asked_at) * 1000
            self._waiting.set_result(Answer(status, ms, head, body))


class Client:
    """One client of 127.0.0.1:port; it connects when necessary."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._wire: _Wire | None = None

    async def ask(self, request: bytes) -> Answer:
        """Returns the response; status 0 if the connection failed or ended."""
        started = time.perf_counter()
        try:
            wire = await self.connect()
            return await asyncio.wait_for(wire.ask(request), ANSWER_S_MAX)
        except (OSError, TimeoutError):
            self.close()
            return Answer(0, (time.perf_counter() - started) * 1000)

    async def connect(self) -> _Wire:
        """Returns the connection; opens it if necessary. Raises OSError."""
        if self._wire is None or not self._wire.open:
            loop = asyncio.get_running_loop()
            _, self._wire = await loop.create_connection(_Wire, "127.0.0.1", self.port)
        return self._wire

    def close(self) -> None:
        """Closes the connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None


class Crowd:
    """Clients, spread over the given ports in turn."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self.clients = clients

    async def ask(
        self, requests: Sequence[bytes], *, answered: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        """Sends one request from each of the first clients, all at once. Returns the responses, in order.

        `answered` is called with each response as it arrives.
        """
        assert len(requests) <= len(self.clients)
        await asyncio.gather(*(client.connect() for client in self.clients[: len(requests)]))
        asked = [
            self._one(client, each, answered) for client, each in zip(self.clients, requests, strict=False)
        ]
        return list(await asyncio.gather(*asked))

    async def _one(self, client: Client, request: bytes, answered: Callable[[Answer], None] | None) -> Answer:
        answer = await client.ask(request)
        if answered is not None:
            answered(answer)
        return answer


@asynccontextmanager
async def crowd(ports: Sequence[int], size: int) -> AsyncIterator[Crowd]:
    """That many clients, spread over the ports; disconnected after the block."""
    clients = [Client(ports[n % len(ports)]) for n in range(size)]
    try:
        yield Crowd(clients)
    finally:
        for client in clients:
            client.close()
