"""HTTP answers in one piece, and connections for those who write to them by themselves.

uvicorn writes the head of an answer and its body one after the other, each with a system call of its own. For
answers as short as ours that is a good part of what they cost.

Live streams write the same bytes to thousands of connections: they get them as the ASGI extension of
`holdfast.live.outlets`, and write past the protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from holdfast.live.outlets import EXTENSION


class _Wired(asyncio.Protocol):
    """Tells the connection that a protocol gives away what becomes of its transport."""

    _wire: Connection

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wire.paused = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self._wire.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._wire.gone()


class CorkedProtocol(_Wired, HttpToolsProtocol):
    """uvicorn's protocol, on a transport that sends what is written in one turn of the loop together."""

    def connection_made(self, transport: Any) -> None:
        corked: Any = _Corked(transport)
        self._wire = Connection(corked)
        self._extensions = {EXTENSION: self._wire}
        super().connection_made(corked)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = self._extensions  # pyright: ignore[reportGeneralTypeIssues]


class WebSocketProtocol(_Wired, WebSocketsSansIOProtocol):
    """uvicorn's protocol, which gives its connection away as well."""

    def connection_made(self, transport: Any) -> None:
        self._wire = Connection(transport)
        super().connection_made(transport)

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.handshake_complete:  # it was refused
            return
        extensions: Any = self.scope.get("extensions")
        extensions[EXTENSION] = self._wire

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()  # what was written and is not taken would keep it from closing


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


class _Corked:
    """A transport that keeps what is written until the turn is over, or until it is closed."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._kept: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._kept:
            asyncio.get_running_loop().call_soon(self._flush)
        self._kept.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        kept, self._kept = self._kept, []
        if kept and not self._transport.is_closing():
            self._transport.write(b"".join(kept))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
