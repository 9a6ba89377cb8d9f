"""HTTP/1.1 with limits: no client can use more resources than a request is worth, however it sends it.

uvicorn and its parser do the work; this class decides what they get, and when.

1. Received bytes are cut where a head or a message ends, and parsed piece by piece. While a request is being answered,
   nothing more is parsed or read: pipelined requests wait unparsed.
2. All bytes of a message outside its body count: request line, headers, chunk framing, trailers (which are dropped).
   Past HEAD_BYTES_MAX bytes or HEADERS_MAX headers the response is 431 and the connection is closed.
3. The application is called when the request is complete. For a body longer than it accepts, it is called at once, and
   refuses it.
4. A head must arrive within HEAD_S and a body within BODY_S, and a connection may be idle for IDLE_S. Past that the
   response is 408, or none if no request had begun.
5. The number of connections per address is limited (`addresses`). At the limit, the oldest connection without a request
   is closed; if there is none, the new one is refused with 429.
"""

from __future__ import annotations

from typing import Any

import httptools
from prometheus_client import Counter
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from holdfast.live.outlets import EXTENSION
from holdfast.main.http import raw_responses
from holdfast.main.http.addresses import Addresses
from holdfast.main.http.pieces import Pieces
from holdfast.main.http.refusals import BODY_BYTES_MAX
from holdfast.main.http.transport import BufferedTransport, Connected, Connection

HEAD_BYTES_MAX = 32 * 1024
HEADERS_MAX = 100
HEAD_S = 10.0
BODY_S = 30.0
IDLE_S = 75.0
"""Longer than proxies keep idle connections (nginx: 60 s), so that no proxy sends a request on a closing one."""
PIECES_MAX = 256
"""Pieces parsed in one iteration of the event loop, about 0.3 ms: a chunked body may consist of empty lines."""

REFUSED = Counter(
    "holdfast_http_connections_refused_total",
    "Connections that Holdfast refused or closed: malformed, too_large, too_slow, too_many.",
    ["reason"],
)


class _TooLarge(Exception):
    """The head is longer than HEAD_BYTES_MAX or has more than HEADERS_MAX headers."""


class BoundedProtocol(Connected, HttpToolsProtocol):
    """uvicorn's protocol with the limits above. `addresses`: shared by all connections of the process."""

    parser: httptools.HttpRequestParser
    transport: Any

    def __init__(self, addresses: Addresses, **given: Any) -> None:
        super().__init__(**given)
        self._addresses = addresses
        self._received = Pieces()
        self._is_paused = False
        self._is_deaf = False  # nothing more will be parsed
        self._in_message = False
        self._in_body = False
        self._body_left: int | None = None  # bytes; None for a chunked body, and outside of bodies
        self._overhead = 0  # bytes of the message that are not its body
        self._piece_bytes = 0
        self._limited_to = 0.0  # seconds that this part of the message may take
        self._arriving: tuple[RequestResponseCycle, Any] | None = None
        self._answering: RequestResponseCycle | None = None

    # The connection

    def connection_made(self, transport: Any) -> None:
        buffered: Any = BufferedTransport(transport, self.loop, self._expired)
        super().connection_made(buffered)
        self.flow = _Writing(buffered)
        self._wire = Connection(buffered)
        self._extensions = {EXTENSION: self._wire}
        buffered.limit(HEAD_S)
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
            return
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

    # Incoming data

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._received.add(data)
        self._go_on()

    def _go_on(self) -> None:
        """Parses the received bytes, until a request must be answered first or others must have their turn."""
        pieces_left = PIECES_MAX
        while self._received and self._answering is None and not self._is_deaf and pieces_left:
            self._parse(self._received.next(self._body_left))
            pieces_left -= 1
        if self._is_deaf:
            return
        if self._received:
            self._pause()
            if self._answering is None:
                self.loop.call_soon(self._continue)
        elif self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()

    def _continue(self) -> None:
        if not self.transport.is_closing():
            self._go_on()

    def _pause(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def _parse(self, piece: bytes) -> None:
        self._overhead += len(piece)
        self._piece_bytes = len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(piece[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, _TooLarge):
                self._refuse(raw_responses.TOO_LARGE, "too_large")
            else:
                self._refuse(raw_responses.MALFORMED, "malformed")
        else:
            if self._overhead > HEAD_BYTES_MAX:
                self._refuse(raw_responses.TOO_LARGE, "too_large")
        if self._arriving is not None and not self._arriving[0].more_body:
            self._answer()
        elif self._in_message and self._answering is None and not self._is_deaf:
            self._limit_arrival()

    def _limit_arrival(self) -> None:
        """Sets one time limit for a head and one for a body, however many pieces they arrive in."""
        seconds = BODY_S if self._in_body else HEAD_S
        if seconds != self._limited_to:
            self._limited_to = seconds
            self.transport.limit(seconds)

    def _upgrade(self, rest: bytes) -> None:
        """Upgrades to a WebSocket. Other protocols are declined by ignoring the offer (RFC 9110, 7.8)."""
        if not self._should_upgrade():
            self._received.put_back(rest)
        elif self.flow.write_paused:
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

    # Called by the parser

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = self._extensions  # pyright: ignore[reportGeneralTypeIssues]
        self._overhead = self._piece_bytes
        self._in_message, self._in_body = True, False
        self._limited_to = 0.0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:
            return  # a trailer
        if len(self.headers) == HEADERS_MAX:
            raise _TooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._overhead > HEAD_BYTES_MAX:
            raise _TooLarge
        self._in_body = True
        self._body_left = _announced(self.headers)
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Called when it is this request's turn, though its body may not be complete."""
        self._arriving = cycle, app
        if not cycle.more_body:
            self._answer()
            return
        if cycle.waiting_for_100_continue:
            if (self._body_left or 0) > BODY_BYTES_MAX:
                self._answer_early(cycle)
                return
            cycle.waiting_for_100_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._overhead -= len(body)
        if self._body_left is not None:
            self._body_left -= len(body)
        cycle = self.cycle
        if self._is_deaf or cycle is None or cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > BODY_BYTES_MAX:
            self._answer_early(cycle)

    def on_message_complete(self) -> None:
        self._in_message = self._in_body = False
        self._body_left = None
        if not self._is_deaf:
            super().on_message_complete()

    # Responses

    def _answer_early(self, cycle: RequestResponseCycle) -> None:
        """Calls the application before the body is complete: it refuses the body, and the connection is closed."""
        if self._arriving is None or self._arriving[0] is not cycle:
            return
        cycle.keep_alive = False
        self._is_deaf = self.transport.lingers = True
        self._received.clear()
        self._pause()
        cycle.message_event.set()
        self._answer()

    def _answer(self) -> None:
        assert self._arriving is not None
        cycle, app = self._arriving
        self._arriving, self._answering = None, cycle
        self.transport.limit(None)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self._answering = None
        if self.transport.is_closing():
            return
        self.transport.limit(IDLE_S)
        if self._received or self._is_paused:
            self._go_on()


class _Writing(FlowControl):
    """The writing half of uvicorn's flow control: only the protocol decides when to read."""

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return


def _announced(headers: list[tuple[bytes, bytes]]) -> int | None:
    """Returns the body's length in bytes, which the parser has checked; None if there is no header for it."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)
    return None
