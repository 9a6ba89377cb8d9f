"""WebSockets with limits: a client's data never takes more than a short slice of an event loop iteration.

1. Received bytes are parsed in pieces of PIECE_BYTES, one per iteration, and nothing is read meanwhile. While the
   application has an unread message, nothing more is parsed.
2. A message may have at most FRAGMENTS_MAX fragments.
3. At most PINGS_PER_S pings and pongs a second are accepted, with bursts of up to PINGS_BURST_MAX.

Past a limit the connection is closed with 1008 (RFC 6455, 7.4.1) and a reason.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import CloseCode, Frame
from websockets.protocol import State

from holdfast.live.outlets import EXTENSION
from holdfast.main.http.addresses import Addresses
from holdfast.main.http.connection import Connected, Connection

PIECE_BYTES = 1024
"""A frame has at least six bytes, so a piece has at most 170 frames, which take about 1 ms."""
FRAGMENTS_MAX = 64
PINGS_PER_S = 5
PINGS_BURST_MAX = 20


class BoundedWebSocket(Connected, WebSocketsSansIOProtocol):
    """uvicorn's protocol with the limits above; offers its connection as a `Wire`."""

    transport: Any

    def __init__(self, addresses: Addresses, **given: Any) -> None:
        super().__init__(**given)
        self._addresses = addresses
        self._received = b""
        self._is_parsing = False
        self._pings_left = float(PINGS_BURST_MAX)
        self._filled_at = self.loop.time()

    # The connection

    def connection_made(self, transport: Any) -> None:
        self._wire = Connection(transport)
        super().connection_made(transport)
        self._addresses.enter(self._address, self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._received = b""
        super().connection_lost(exc)

    def give_way(self) -> bool:
        return False

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.handshake_complete:  # it was refused
            return
        extensions: Any = self.scope.get("extensions")
        extensions[EXTENSION] = self._wire

    def shutdown(self) -> None:
        is_closing = self.conn.state is not State.OPEN and not self.close_sent
        if self.transport.is_closing() or (self.handshake_complete and is_closing):
            self.stop_keepalive()
            self.transport.close()  # the client has closed it, so no close frame is due
            return
        super().shutdown()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()  # data that the client does not read would keep it open

    # Incoming data

    def data_received(self, data: bytes) -> None:
        if not self.handshake_initiated:  # the upgrade request, which the HTTP protocol has limited
            super().data_received(data)
            if not self.handshake_initiated:  # not a valid one; the library's response is not sent yet
                self.transport.write(b"".join(self.conn.data_to_send()))
                self.transport.close()
            return
        if not self.transport.is_closing():
            self._received += data
            if not self._is_parsing:
                self._go_on()

    def _go_on(self) -> None:
        """Parses one piece, and schedules the next after other work in the event loop."""
        self._is_parsing = False
        if self.transport.is_closing():
            return
        if self._received and not self._has_message:
            piece, self._received = self._received[:PIECE_BYTES], self._received[PIECE_BYTES:]
            try:
                super().data_received(piece)
            except InvalidState:  # an error after the client's close frame, which uvicorn tries to report
                self.transport.abort()
        if self._has_message or self.transport.is_closing():
            return  # `receive` continues
        if self._received:
            self._is_parsing = True
            self.transport.pause_reading()
            self.loop.call_soon(self._go_on)
        else:
            self.transport.resume_reading()

    @property
    def _has_message(self) -> bool:
        return self.read_paused and not self.close_sent

    async def receive(self) -> Any:
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            if not self._is_parsing:
                self._go_on()
        return message

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.close_sent and self._received and not self._is_parsing:
            self._go_on()  # it may contain the client's close frame

    # Called by the parser

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= FRAGMENTS_MAX:
            self._fail(f"A message may have at most {FRAGMENTS_MAX} fragments.")
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        if self._may_ping():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        if self._may_ping():
            super().handle_pong(event)

    def _may_ping(self) -> bool:
        now = self.loop.time()
        gained = (now - self._filled_at) * PINGS_PER_S
        self._pings_left, self._filled_at = min(PINGS_BURST_MAX, self._pings_left + gained) - 1, now
        if self._pings_left >= 0:
            return True
        self._fail(f"At most {PINGS_PER_S} pings and pongs a second.")
        return False

    def _fail(self, reason: str) -> None:
        if self.close_sent:
            if not self.transport.is_closing():
                self.transport.abort()  # it keeps sending instead of answering our close frame
            return
        self.conn.fail(CloseCode.POLICY_VIOLATION, reason)
        self.handle_parser_exception()

    def handle_parser_exception(self) -> None:
        if self.conn.close_sent is None:  # before the handshake is complete
            self.transport.abort()
            return
        self.transport.lingers = True  # so that the client can read the reason even if it sent more
        super().handle_parser_exception()
