"""A lean HTTP load generator: each client sends its next request as soon as it has the previous response."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

Next = Callable[[], bytes | None]
"""Returns the next request, head and body; None ends the client."""


@dataclass(slots=True)
class Result:
    """The result of a load. `latencies_ms`: of every response, unordered."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)

    def per_s(self, *statuses: int) -> float:
        """Returns responses per second with these statuses, or with any if none is given."""
        counted = sum(self.statuses[each] for each in statuses) if statuses else self.statuses.total()
        return counted / self.seconds

    def quantile_ms(self, share: float) -> float:
        """Returns the latency that this share of the responses did not exceed."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


class Client(asyncio.Protocol):
    """One keep-alive connection; responses must have a Content-Length."""

    def __init__(self, next_: Next, result: Result, done: asyncio.Future[None]) -> None:
        self._next, self._result, self._done = next_, result, done
        self._received = b""
        self._sent_at = 0.0
        self.bodies: list[bytes] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        request = self._next()
        if request is None:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        at = received.lower().find(b"content-length:", 0, end)
        length = int(received[at + 15 : received.find(b"\r\n", at)])
        if len(received) < end + 4 + length:
            return
        self._result.latencies_ms.append((time.perf_counter() - self._sent_at) * 1000)
        self._result.statuses[int(received[9:12])] += 1
        self._received = b""
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or ConnectionResetError("the server closed the connection"))


async def run(port: int, requests: list[Iterator[bytes]], *, seconds: float | None = None) -> Result:
    """Sends each client's requests to 127.0.0.1:port until they end or `seconds` have passed."""
    loop = asyncio.get_running_loop()
    result = Result()
    started = time.perf_counter()
    until = started + seconds if seconds is not None else float("inf")

    def ending(iterator: Iterator[bytes]) -> Next:
        return lambda: next(iterator, None) if time.perf_counter() < until else None

    futures = []
    for iterator in requests:
        done = loop.create_future()
        futures.append(done)
        await loop.create_connection(
            lambda iterator=iterator, done=done: Client(ending(iterator), result, done), "127.0.0.1", port
        )
    await asyncio.gather(*futures)
    result.seconds = time.perf_counter() - started
    return result


def http(method: str, path: str, *, token: str | None = None, body: bytes = b"", headers: str = "") -> bytes:
    """Returns the bytes of a request."""
    head = f"{method} /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{headers}"
    if body:
        head += "Content-Type: application/json\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    return head.encode() + b"\r\n" + body
