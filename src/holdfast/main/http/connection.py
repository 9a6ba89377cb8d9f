"""A connection from its first moment to its last: counted, taken over by a stream or a WebSocket, refused, closed.

Live streams write the same bytes to thousands of connections: they get a `Wire` through the ASGI extension of
`holdfast.live.outlets` and bypass the protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
from prometheus_client import Counter
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from holdfast.live.outlets import EXTENSION
from holdfast.main.http import raw_responses
from holdfast.main.http.addresses import Addresses
from holdfast.main.http.pieces import Pieces
from holdfast.main.http.transport import BufferedTransport

REFUSED = Counter(
    "holdfast_http_connections_refused_total",
    "Connections that Holdfast refused or closed: malformed, too_large, too_slow, too_many.",
    ["reason"],
)


class Connected(asyncio.Protocol):
    """Connection handling shared by both protocols: it counts towards its address, and a stream that took it over is
    notified of its state."""

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


class HttpConnection(Connected, HttpToolsProtocol):
    """An HTTP connection, without its requests. `addresses`: shared by all connections of the process.

    At the limit of its address, the oldest connection without a request gives way to a new one. If there is none, the
    new one is refused with 429.
    """

    parser: httptools.HttpRequestParser
    transport: Any

    def __init__(self, addresses: Addresses, **given: Any) -> None:
        super().__init__(**given)
        self._addresses = addresses
        self._received = Pieces()
        self._is_paused = False
        self._is_deaf = False  # nothing more will be parsed
        self._in_message = False
        self._arriving: tuple[RequestResponseCycle, Any] | None = None
        self._answering: RequestResponseCycle | None = None

    def connection_made(self, transport: Any) -> None:
        buffered: Any = BufferedTransport(transport, self.loop, self._expired)
        super().connection_made(buffered)
        self.flow = _Writing(buffered)
        self._wire = Connection(buffered)
        self._extensions = {EXTENSION: self._wire}
        if not self._addresses.enter(self._address, self):
            REFUSED.labels("too_many").inc()
            self._is_deaf = True
            buffered.write(raw_responses.TOO_MANY)
            buffered.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._received.clear()
        if self._answering is not None:  # the parent only handles the last request
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def give_way(self) -> bool:
        is_needed = self._answering is not None or self._arriving is not None or self._received
        # While a response is on its way, or its end is waited for, the connection stays open and so it still counts.
        if is_needed or self.transport.is_closing() or self.transport.has_unsent():
            return False
        self.transport.close()
        return True

    def _expired(self) -> None:
        if self._answering is not None:
            return  # the limit was one for the request, which has arrived
        if self._in_message:
            self._refuse(raw_responses.TOO_SLOW, "too_slow")
        else:
            self.transport.close()

    def _refuse(self, answer: bytes, reason: str) -> None:
        """Sends this response and closes the connection. All earlier requests have been answered, because nothing after
        a request is parsed before its response is complete."""
        REFUSED.labels(reason).inc()
        self._is_deaf = self.transport.lingers = True
        self._received.clear()
        self._arriving = None
        self.transport.write(answer)
        self.transport.close()

    def _pause(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def _upgrade(self) -> None:
        """Upgrades to a WebSocket."""
        if self.flow.write_paused:
            # The client reads nothing, so it can't be waiting for the handshake.
            self._refuse(raw_responses.MALFORMED, "malformed")
        else:
            self._is_deaf = True
            self._received.clear()  # no frame may be sent before the handshake is complete (RFC 6455, 4.1)
            self.transport.expired = None
            self.transport.limit(None)
            if self._is_paused:
                self.transport.resume_reading()
            self._addresses.leave(self._address, self)
            self.handle_websocket_upgrade()


class _Writing(FlowControl):
    """The writing half of uvicorn's flow control: only the protocol decides when to read."""

    def pause_reading(self) -> None:
        return  # so that there is nothing to resume either


class Connection:
    """Implements `holdfast.live.outlets.Wire`."""

    __slots__ = ("_is_gone", "_lost", "_transport", "drained", "paused")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._is_gone = False
        self._lost: Callable[[], None] | None = None
        self.paused = False
        self.drained: Callable[[], None] | None = None

    @property
    def lost(self) -> Callable[[], None] | None:
        """Called when the connection is lost; soon, if it already is."""
        return self._lost

    @lost.setter
    def lost(self, callback: Callable[[], None] | None) -> None:
        self._lost = callback
        if self._is_gone and callback is not None:
            asyncio.get_running_loop().call_soon(callback)

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
        self.paused = self._is_gone = True
        if self._lost is not None:
            self._lost()
