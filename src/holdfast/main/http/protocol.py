"""HTTP/1.1 with limits: no client can use more resources than a request is worth, however it sends it.

uvicorn and its parser do the work; this class decides what they get, and when.

1. Nothing behind a request is parsed before it is answered, nor is more read: pipelined requests wait unparsed. A read
   that holds one head, or one request, or more of a body, is parsed as it is; others are cut where heads and messages
   end.
2. All bytes of a message outside its body count: request line, headers, chunk framing, trailers (which are dropped).
   Past HEAD_BYTES_MAX bytes or HEADERS_MAX headers the response is 431 and the connection is closed.
3. The application is called when the request is complete. For a body longer than it accepts, it is called at once, and
   refuses it.
4. A head must arrive within HEAD_S and a body within BODY_S, and a connection may be idle for IDLE_S. Past that the
   response is 408, or none if no request had begun.
5. The number of connections per address is limited (`connection.py`).
"""

from __future__ import annotations

from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from holdfast.main.http import raw_responses
from holdfast.main.http.addresses import Addresses
from holdfast.main.http.connection import HttpConnection
from holdfast.main.http.refusals import BODY_BYTES_MAX

HEAD_BYTES_MAX = 32 * 1024
HEADERS_MAX = 100
HEAD_S = 10.0
BODY_S = 30.0
IDLE_S = 75.0
"""Longer than proxies keep idle connections (nginx: 60 s), so that no proxy sends a request on a closing one."""
PIECES_MAX = 64
"""Pieces parsed in one iteration of the event loop, about 0.1 ms: a chunked body may consist of empty lines."""

_HEAD_END = b"\r\n\r\n"
_SPACE = ord(" ")


class _TooLarge(Exception):
    """The head is longer than HEAD_BYTES_MAX or has more than HEADERS_MAX headers."""


class _MustBeCut(Exception):
    """The data may go on behind the request: it is longer than announced, or nothing is, as with a chunked body."""


class _Declined(Exception):
    """The request offers a protocol that we don't speak. The parser would end it at its head, and take its body for the
    next request."""


class _Malformed(Exception):
    """The request asks for a WebSocket and has a body."""


class BoundedProtocol(HttpConnection):
    """uvicorn's protocol with the limits above. `addresses`: shared by all connections of the process."""

    def __init__(self, addresses: Addresses, **given: Any) -> None:
        super().__init__(addresses, **given)
        self._in_body = False
        self._body_left: int | None = None  # bytes; None for a chunked body, and outside of bodies
        self._overhead = 0  # bytes of the message that are not its body
        self._piece_overhead = self._piece_rest = 0
        self._limited_to = 0.0  # seconds that this part of the message may take

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.transport.limit(HEAD_S)

    # Incoming data

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        if self._answering is None and not self._is_paused:  # all that was received before is parsed
            if self._body_left and len(data) <= self._body_left:
                self._parse(data, rest=len(data))
                return
            # An empty line in front of the head would look like its end.
            if not self._in_message and data[0] > _SPACE and (end := data.find(_HEAD_END)) >= 0:
                rest = len(data) - end - len(_HEAD_END)
                # Probably the length of its body; the parser will know. All others are cut right away.
                if not rest or data.find(b"ength: %d\r\n" % rest, 0, end + 2) >= 0:
                    self._parse(data, rest=rest)
                    return
        self._received.add(data)
        self._go_on()

    def _go_on(self) -> None:
        """Parses what was received in pieces, until a request must be answered first or others must have their turn."""
        pieces_left = PIECES_MAX
        while self._received and self._answering is None and not self._is_deaf and pieces_left:
            piece = self._received.next(self._body_left)
            self._parse(piece, rest=len(piece) if self._body_left else 0)
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

    def _parse(self, piece: bytes, *, rest: int) -> None:
        """`rest`: how many bytes at its end are behind the head, as a body of known length is."""
        before = self._overhead
        self._piece_overhead, self._piece_rest = len(piece) - rest, rest
        self._overhead += self._piece_overhead
        problem: BaseException | None = None
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._upgrade()
        except httptools.HttpParserError as error:
            problem = error.__context__ or error
        # Not in the except block: errors of what follows would have this one as their context.
        if isinstance(problem, _MustBeCut):
            self._start_again(piece, before)
            return
        if isinstance(problem, _Declined):
            self._without_the_offer(piece[len(piece) - rest :])
            return
        if self._answering is None:  # otherwise the application is refusing the body
            if isinstance(problem, _TooLarge) or (problem is None and self._overhead > HEAD_BYTES_MAX):
                self._refuse(raw_responses.TOO_LARGE, "too_large")
            elif problem is not None:
                self._refuse(raw_responses.MALFORMED, "malformed")
        if self._arriving is not None and not self._arriving[0].more_body:
            self._answer()
        elif self._in_message and self._answering is None and not self._is_deaf:
            self._limit_arrival()

    def _start_again(self, data: bytes, overhead: int) -> None:
        """Parses the data in pieces. So far only the head was parsed, and nothing was done for it."""
        self._renew_parser()
        self._overhead = overhead
        self._received.add(data)
        self._go_on()

    def _without_the_offer(self, body: bytes) -> None:
        """Declines another protocol by ignoring the offer (RFC 9110, 7.8): parses the head again without it, and then
        the part of the body that came with it. There is nothing to ignore in a CONNECT, which we refuse."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._refuse(raw_responses.MALFORMED, "malformed")
            return
        lines = [b"%b %b HTTP/%b" % (method, self.url, self.parser.get_http_version().encode("ascii"))]
        lines += [b"%b:%b" % header for header in self.headers if header[0] != b"upgrade"]
        self._renew_parser()
        self._parse(b"\r\n".join(lines) + _HEAD_END, rest=0)
        if body:
            self._parse(body, rest=len(body))

    def _renew_parser(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # like uvicorn's
        self._in_message = self._in_body = False

    def _limit_arrival(self) -> None:
        """Sets one time limit for a head and one for a body, however many pieces they arrive in."""
        seconds = BODY_S if self._in_body else HEAD_S
        if seconds != self._limited_to:
            self._limited_to = seconds
            self.transport.limit(seconds)

    # Called by the parser

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = self._extensions  # pyright: ignore[reportGeneralTypeIssues]
        self._overhead = self._piece_overhead
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
        announced = _announced(self.headers)
        if self._piece_rest > (announced or 0):
            raise _MustBeCut
        if self.parser.should_upgrade():
            if not self._should_upgrade():
                raise _Declined
            if announced or any(name == b"transfer-encoding" for name, _ in self.headers):
                raise _Malformed
        self._in_body = True
        self._body_left = announced
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
            if self.scope["http_version"] != "1.0":  # RFC 9110, 10.1.1
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._body_left is None:
            self._overhead -= len(body)
        else:
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
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self._answering = None
        if self.transport.is_closing():
            return
        self.transport.limit(IDLE_S)
        if self._is_paused:
            self._go_on()


def _announced(headers: list[tuple[bytes, bytes]]) -> int | None:
    """Returns the body's length in bytes, which the parser has checked; None if there is no header for it."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)
    return None
