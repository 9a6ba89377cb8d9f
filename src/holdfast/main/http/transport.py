"""The transport below both protocols: batches writes of one event loop iteration, detects clients that don't read, and
gives a refused client time to read why.

uvicorn writes a response's head and body separately, each with a system call. For responses as short as ours that is a
large part of their cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Any

LINGER_S = 5.0
"""How long a refused connection may still receive and send before it is aborted."""
STALL_S = 30.0
"""A client that reads none of its pending data for this long is aborted."""


class BufferedTransport:
    """A transport that buffers writes until the end of the event loop iteration, or until it is closed.

    `lingers`: closing it closes our side only; the client's side stays open for LINGER_S. Closing a socket with unread
    bytes resets the connection, and the client may lose the response that says why (RFC 9112, 9.6).
    `expired` is called when the time set with `limit` has passed. All timeouts of a connection share one timer. It is
    reset only when it would fire too late: about every ten seconds on a busy connection.
    """

    __slots__ = (
        "_collected", "_deadline", "_lingering", "_loop", "_stall_at", "_taken", "_timer", "_timer_at", "_transport",
        "_written", "expired", "lingers",
    )  # fmt: skip

    def __init__(
        self, transport: Any, loop: asyncio.AbstractEventLoop, expired: Callable[[], None] | None = None
    ) -> None:
        self._transport = transport
        self._loop = loop
        self.expired = expired
        self.lingers = False
        self._lingering = False
        self._collected: list[bytes] = []
        self._written = 0
        self._taken = 0
        self._deadline = inf
        self._stall_at = loop.time() + STALL_S
        self._start(self._stall_at)

    def write(self, data: bytes) -> None:
        if not self._collected:
            self._loop.call_soon(self._flush)
        self._collected.append(data)

    def limit(self, seconds: float | None) -> None:
        """Calls `expired` after this time, unless another limit is set before. None: no limit."""
        if seconds is None:
            self._deadline = inf
            return
        self._deadline = self._loop.time() + seconds
        if self._deadline < self._timer_at:
            self._timer.cancel()
            self._start(self._deadline)

    def close(self) -> None:
        if self._lingering:
            return
        self._flush()
        if not self.lingers or self._transport.is_closing():
            self._transport.close()
            return
        self._lingering = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self.expired = self._transport.abort
        self.limit(LINGER_S)

    def has_unsent(self) -> bool:
        """Returns whether data was written that the operating system has not taken yet."""
        return bool(self._collected) or self._transport.get_write_buffer_size() > 0

    def is_closing(self) -> bool:
        return self._lingering or self._transport.is_closing()

    def lost(self) -> None:
        """Called when the connection is lost."""
        self._timer.cancel()
        self.expired = None

    def _flush(self) -> None:
        collected, self._collected = self._collected, []
        if collected and not (self._lingering or self._transport.is_closing()):
            data = b"".join(collected)
            self._written += len(data)
            self._transport.write(data)

    def _start(self, at: float) -> None:
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        if now >= self._stall_at:
            if self._is_stalled():
                self._transport.abort()
                return
            self._stall_at = now + STALL_S
        if now >= self._deadline:
            self._deadline = inf
            if self.expired is not None:
                self.expired()
        self._start(min(self._deadline, self._stall_at))

    def _is_stalled(self) -> bool:
        """Returns whether data is pending and none of it was sent since the last call."""
        waiting = self._transport.get_write_buffer_size()
        before, self._taken = self._taken, self._written - waiting
        return waiting > 0 and before == self._taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
