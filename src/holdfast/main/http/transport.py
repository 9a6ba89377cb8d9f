"""The connection below both protocols: what is written in one turn of the loop goes out together, a client that
takes nothing is noticed, and a refused client has time to read why.

uvicorn writes the head of an answer and its body one after the other, each with a system call of its own. For
answers as short as ours that is a good part of what they cost.

Live streams write the same bytes to thousands of connections: they get a `Wire` as the ASGI extension of
`holdfast.live.outlets`, and write past the protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import Any

from holdfast.main.http.addresses import Addresses

LINGER_S = 5.0
"""How long a connection that was refused may still take and send, before it is aborted."""
STALL_S = 30.0
"""A client that reads none of what waits for it for so long is aborted."""


class CorkedTransport:
    """A transport that collects what is written until the turn is over, or until it is closed.

    `lingers`: closing it ends our side alone and lets the client's run on for LINGER_S. A socket that is closed with
    bytes unread resets the connection, and with it the answer that says why (RFC 9112, 9.6).

    `expired` is called when a limit has passed that was set with `limit`. All that takes time on a connection shares
    one timer, which is set anew only when it would come too late: a busy connection sets it once in ten seconds.
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
        """`expired` is called after so long, unless another limit is set by then. None: there is none."""
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

    def is_closing(self) -> bool:
        return self._lingering or self._transport.is_closing()

    def lost(self) -> None:
        """The connection is gone."""
        self._timer.cancel()
        self.expired = None

    def _flush(self) -> None:
        collected, self._collected = self._collected, []
        if collected and not self.is_closing():
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
        """Whether something waits to be sent, and none of it was since the last time this was asked."""
        waiting = self._transport.get_write_buffer_size()
        before, self._taken = self._taken, self._written - waiting
        return waiting > 0 and before == self._taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Connected(asyncio.Protocol):
    """What both protocols do with their connection: it counts for its address, and a stream that it was given away to
    learns what becomes of it."""

    transport: Any
    client: tuple[str, int] | None
    _addresses: Addresses
    _wire: Connection

    @property
    def _address(self) -> str | None:
        return self.client[0] if self.client else None

    def connection_lost(self, exc: Exception | None) -> None:
        self._addresses.leave(self._address, self)  # pyright: ignore[reportArgumentType]
        super().connection_lost(exc)
        self.transport.lost()
        self._wire.gone()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wire.paused = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self._wire.resume()


class Connection:
    """A `holdfast.live.outlets.Wire`."""

    __slots__ = ("_transport", "drained", "lost", "paused")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.paused = False
        self.drained: Callable[[], None] | None = None
        self.lost: Callable[[], None] | None = None

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def abort(self) -> None:
        self._transport.abort()

    def resume(self) -> None:
        self.paused = False
        if self.drained is not None:
            self.drained()

    def gone(self) -> None:
        self.paused = True
        if self.lost is not None:
            self.lost()
