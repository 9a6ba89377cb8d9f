"""Where streams go: straight to the connection, where the server lets us, or through its `send`; and how
frames travel there: as messages for the server to send, or as the bytes that go over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from holdfast.live.frames import Transport

EXTENSION = "holdfast.wire"
"""The ASGI extension that gives a `Wire`. With it a stream takes one task that sleeps; what is sent to thousands is
made once and written by one loop over their connections."""

_TEXT = 0x81  # RFC 6455, 5.2: the last part of a message, of text
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """One way for frames to travel. `pack`: what is to be written for them, in as few parts as can be."""

    transport: Transport
    pack: Callable[[list[bytes]], list[bytes]]


def _joined(frames: list[bytes]) -> list[bytes]:
    return [b"".join(frames)]


def _chunk(frames: list[bytes]) -> list[bytes]:
    data = b"".join(frames)
    return [b"%x\r\n%b\r\n" % (len(data), data)]  # RFC 9112, 7.1


def _alone(frames: list[bytes]) -> list[bytes]:
    return frames


def _messages(frames: list[bytes]) -> list[bytes]:
    return [b"".join(part for frame in frames for part in (_head(len(frame)), frame))]


def _head(length: int) -> bytes:
    if length < 126:
        return bytes((_TEXT, length))
    if length < 65536:
        return bytes((_TEXT, 126)) + length.to_bytes(2, "big")
    return bytes((_TEXT, 127)) + length.to_bytes(8, "big")


SSE = Packing("sse", _joined)
SSE_WIRE = Packing("sse", _chunk)
WS = Packing("ws", _alone)
WS_WIRE = Packing("ws", _messages)


class Wire(Protocol):
    """A connection, past the server's protocol: only whole pieces of what that would write may be written.

    `drained` and `lost` are called when it is ready again after a pause, and when it has gone.
    """

    drained: Callable[[], None] | None
    lost: Callable[[], None] | None

    @property
    def paused(self) -> bool: ...

    def write(self, data: bytes) -> None: ...

    def abort(self) -> None: ...


class WireOutlet:
    """An outlet on a wire. The connection is somebody else's again once it is released."""

    def __init__(self, wire: Wire) -> None:
        self._wire: Wire | None = wire

    def attach(self, *, drained: Callable[[], None], lost: Callable[[], None]) -> None:
        assert self._wire is not None
        self._wire.drained, self._wire.lost = drained, lost

    @property
    def paused(self) -> bool:
        """Whether it takes nothing at the moment; `drained` is called when that ends."""
        return self._wire is None or self._wire.paused

    def write(self, parts: list[bytes]) -> None:
        if self._wire is not None:
            self._wire.write(parts[0] if len(parts) == 1 else b"".join(parts))

    def abort(self) -> None:
        """Ends it at once, whatever is still to be sent."""
        if self._wire is not None:
            self._wire.abort()

    def release(self) -> None:
        if self._wire is not None:
            self._wire.drained = self._wire.lost = None
            self._wire = None


class SendOutlet:
    """An outlet through the server's `send`, one message after the other. `send` takes one part."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send
        self._drained: Callable[[], None] | None = None
        self._lost: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None

    def attach(self, *, drained: Callable[[], None], lost: Callable[[], None]) -> None:
        self._drained, self._lost = drained, lost

    @property
    def paused(self) -> bool:
        return self._task is not None

    def write(self, parts: list[bytes]) -> None:
        self._task = asyncio.get_running_loop().create_task(self._write(parts))

    async def _write(self, parts: list[bytes]) -> None:
        try:
            for part in parts:
                await self._send(part)
        except Exception as error:
            log.debug("live_send_failed", error=type(error).__qualname__)
            if self._lost is not None:
                self._lost()
            return
        self._task = None
        if self._drained is not None:
            self._drained()

    async def finished(self) -> None:
        """What was handed over has been sent, or never will be."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def abort(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._lost is not None:
            self._lost()

    def release(self) -> None:
        self._drained = self._lost = None


Outlet = WireOutlet | SendOutlet
"""Where a stream goes."""


def outlet_of(
    scope: Any, send: Callable[[bytes], Awaitable[None]], *, wire: Packing, messages: Packing
) -> tuple[Outlet, Packing]:
    """Where the answer to a request goes and how frames are packed for it: as for a `wire` if the server gives the
    connection away, or else as `messages`, one part for each call of `send`."""
    connection = (scope.get("extensions") or {}).get(EXTENSION)
    return (SendOutlet(send), messages) if connection is None else (WireOutlet(connection), wire)
