"""The middleware around WebSockets: each gets an id, and is counted and logged with the status of its handshake.

Its route checks the token and the messages.
"""

from __future__ import annotations

import time
from contextlib import suppress

import structlog
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from holdfast.kernel.failure import stack_of
from holdfast.kernel.telemetry import CONTEXT
from holdfast.main.http.middleware import STATUS_NONE, Middleware, introduce

WS_FAILED = 1011  # RFC 6455, 7.4.1

log = structlog.get_logger()


class MiddlewareWithSockets(Middleware):
    """The middleware around all routes, also those of WebSockets."""

    async def others(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await super().others(scope, receive, send)
            return
        started = time.perf_counter()
        scope["method"] = "GET"
        bound = introduce(scope, dict(scope["headers"]))
        scope["state"]["is_stream"] = True
        handshake = _Handshake(send)
        try:
            await super().others(scope, receive, handshake)
        except (OSError, WebSocketDisconnect):
            return  # The client is gone.
        except Exception as error:
            log.error("request_failed", error=type(error).__qualname__, stack=stack_of(error))
            await handshake.fail()
        finally:
            self.record(scope, status=handshake.status, seconds=time.perf_counter() - started)
            CONTEXT.reset(bound)


class _Handshake:
    """The `send` of a WebSocket; records how its handshake was answered."""

    __slots__ = ("_send", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = STATUS_NONE

    async def __call__(self, message: Message) -> None:
        if self.status == STATUS_NONE:
            by_type = {"websocket.accept": 101, "websocket.close": 403}
            self.status = by_type.get(message["type"]) or message.get("status", STATUS_NONE)
        await self._send(message)

    async def fail(self) -> None:
        """Closes the WebSocket because of an internal error."""
        with suppress(Exception):  # the connection may be in any state
            await self({"type": "websocket.close", "code": WS_FAILED})
