"""Clients that send requests without pause, in a separate process: `python -m bench.askers PORT SECONDS < REQUESTS`.

So the time they need to read large responses does not distort other measurements. Requests come as a JSON array of
strings; responses are counted by status and printed as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

import uvloop

ASKERS = 10


class Asker(asyncio.Protocol):
    """Sends the next request as soon as the previous response is complete; parses only the response's head."""

    def __init__(self, requests: Iterator[bytes], statuses: Counter[int]) -> None:
        self._requests = requests
        self._statuses = statuses
        self._head = b""
        self._left = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            at = self._head.lower().index(b"content-length:", 0, end)
            length = int(self._head[at + 15 : self._head.index(b"\r\n", at)])
            self._left = length - (len(self._head) - end - 4)
        if self._left <= 0:
            self._statuses[int(self._head[9:12])] += 1
            self._head, self._left = b"", 0
            self._transport.write(next(self._requests))


async def ask(port: int, requests: Sequence[bytes], *, seconds: float) -> Counter[int]:
    """Counts the responses to ASKERS clients by status. Each client starts with a different request."""
    statuses: Counter[int] = Counter()
    loop = asyncio.get_running_loop()
    for n in range(ASKERS):
        following = cycle([*requests[n % len(requests) :], *requests[: n % len(requests)]])
        await loop.create_connection(
            lambda following=following: Asker(following, statuses), "127.0.0.1", port
        )
    await asyncio.sleep(seconds)
    return statuses


if __name__ == "__main__":
    asked = [each.encode("latin-1") for each in json.load(sys.stdin)]
    print(json.dumps(uvloop.run(ask(int(sys.argv[1]), asked, seconds=float(sys.argv[2])))))
