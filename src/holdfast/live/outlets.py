"""How streams write: directly to the connection where the server allows it, or else through ASGI `send`. Frames are
packed accordingly: as bytes for the wire, or as messages for the server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from holdfast.live.frames import Transport

EXTENSION = "holdfast.wire"
"""The ASGI extension that provides a `Wire`. With it a stream needs only one sleeping task, and a frame for thousands
of readers is built once and written in one loop over their connections."""

_TEXT = 0x81  # RFC 6455, 5.2: FIN bit and opcode 1 (text)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """How frames are packed for one kind of outlet. `pack`: turns frames into as few writes as possible."""

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
    """A connection, bypassing the server's protocol. Writes must be whole protocol units (chunks or messages).

    `drained` is called when the connection is writable again after a pause, `lost` when it has closed.
    """

    drained: Callable[[], None] | None
    lost: Callable[[], None] | None

    @property
    def paused(self) -> bool: ...

    def write(self, data: bytes) -> None: ...

    def abort(self) -> None: ...


class WireOutlet:
    """Writes directly to the connection. `release` gives the connection back to the server."""

    def __init__(self, wire: Wire) -> None:
        self._wire: Wire | None = wire

    def attach(self, *, drained: Callable[[], None], lost: Callable[[], None]) -> None:
        assert self._wire is not None
        self._wire.drained, self._wire.lost = drained, lost

    @property
    def paused(self) -> bool:
        """Whether the connection accepts no data at the moment; `drained` is called when it does again."""
        return self._wire is None or self._wire.paused

    def write(self, parts: list[bytes]) -> None:
        if self._wire is not None:
            self._wire.write(parts[0] if len(parts) == 1 else b"".join(parts))

    def abort(self) -> None:
        """Closes the connection at once and discards unsent data."""
        if self._wire is not None:
            self._wire.abort()

    def release(self) -> None:
        if self._wire is not None:
            self._wire.drained = self._wire.lost = None
            self._wire = None


class SendOutlet:
    """Writes through the server's `send`, one part at a time."""

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
        """Waits until the pending write has finished or failed."""
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
"""Where a stream writes to."""


def outlet_of(
    scope: Any, send: Callable[[bytes], Awaitable[None]], *, wire: Packing, messages: Packing
) -> tuple[Outlet, Packing]:
    """Returns the outlet for a request and its packing: `wire` if the server hands over the connection, or else
    `messages`, one part per call of `send`."""
    connection = (scope.get("extensions") or {}).get(EXTENSION)
    return (SendOutlet(send), messages) if connection is None else (WireOutlet(connection), wire)
