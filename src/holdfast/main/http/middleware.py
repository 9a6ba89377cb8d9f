"""The middleware around every route. For each request, in this order:

1. Assigns a request id and a trace, for log lines and the response.
2. Refuses a body that is too long.
3. Turns the bearer token into an actor; refuses an invalid one.
4. Calls the route; an unexpected error becomes a 500 without details.
5. Adds the common response headers; counts, times and logs the request.

A live stream is logged when it ends, and not timed. A WebSocket also gets an id and is counted and logged; its route
checks the token and the messages.
`request.state` then has `actor`, `request_id`, `traceparent` (None without one) and `client_ip`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from holdfast.kernel.actor import ANONYMOUS, Actor
from holdfast.kernel.db.tx import request_deadline
from holdfast.kernel.errors import HoldfastError, Unauthenticated
from holdfast.kernel.failure import InternalError, stack_of
from holdfast.kernel.http import problem
from holdfast.kernel.telemetry import CONTEXT, request_log
from holdfast.main.http.caller import caller, request_id, trace_id, traceparent
from holdfast.main.http.operations import Tally
from holdfast.main.http.refusals import limited

NO_TOKEN_NEEDED = frozenset(
    {"/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/asyncapi.json"}
)
ASSETS = "/docs/"
WS_FAILED = 1011  # RFC 6455, 7.4.1
STATUS_NONE = 499
"""Logged as the status if the client disconnected before there was a response."""

UNMATCHED = "unmatched"
"""Logged as the route of a request that matches none."""

_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
_NO_STORE = (b"cache-control", b"no-store")

log = structlog.get_logger()


class Middleware:
    """The middleware. `templates`: path templates, by the `endpoint` in a matched scope.

    `request_deadline_s`: the longest time a request may wait, in total.
    Expects `verifier`, `engine` and `tally` on the application's state.
    """

    def __init__(self, app: ASGIApp, *, templates: Mapping[Any, str], request_deadline_s: float) -> None:
        self._app = app
        self._request_deadline_s = request_deadline_s
        self._templates = templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await (self._socket if scope["type"] == "websocket" else self._app)(scope, receive, send)
            return
        started = time.perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        request = _introduce(scope, headers)
        bound = CONTEXT.set(_log_context(request))
        answer = _Answer(send, request["request_id"], storable=scope["path"].startswith(ASSETS))
        tally: Tally = scope["app"].state.tally
        tally.in_flight += 1
        try:
            with request_deadline(self._request_deadline_s):
                await self._answer(scope, receive, answer, headers)
        finally:
            tally.in_flight -= 1
            self._record(scope, tally, status=answer.status, seconds=time.perf_counter() - started)
            CONTEXT.reset(bound)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        scope["method"] = "GET"
        request = _introduce(scope, dict(scope["headers"]))
        request["is_stream"] = True
        bound = CONTEXT.set(_log_context(request))
        handshake = _Handshake(send)
        try:
            await self._app(scope, receive, handshake)
        except (OSError, WebSocketDisconnect):
            return  # The client is gone.
        except Exception as error:
            log.error("request_failed", error=type(error).__qualname__, stack=stack_of(error))
            await handshake.fail()
        finally:
            tally: Tally = scope["app"].state.tally
            self._record(scope, tally, status=handshake.status, seconds=time.perf_counter() - started)
            CONTEXT.reset(bound)

    async def _answer(
        self, scope: Scope, receive: Receive, answer: _Answer, headers: Mapping[bytes, bytes]
    ) -> None:
        try:
            receive = limited(receive, headers)
            if b"authorization" in headers:
                scope["state"]["actor"] = await _actor(scope, headers)
            await self._app(scope, receive, answer)
        except HoldfastError as refusal:
            await _refuse(scope, receive, answer, refusal)
        except ClientDisconnect:
            return  # The client is gone.
        except Exception as error:
            log.error("request_failed", error=type(error).__qualname__, stack=stack_of(error))
            failure = InternalError(request_id=scope["state"]["request_id"])
            await _refuse(scope, receive, answer, failure)

    def _record(self, scope: Scope, tally: Tally, *, status: int, seconds: float) -> None:
        method, route = scope["method"], self._templates.get(scope.get("endpoint"), UNMATCHED)
        timed = None if scope["state"].get("is_stream") else seconds
        tally.count(method=method, route=route, status=status, seconds=timed)
        actor: Actor = scope["state"]["actor"]
        write = request_log.debug if scope["path"] in NO_TOKEN_NEEDED else request_log.info
        write(
            "request",
            **CONTEXT.get(),
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 3),
            actor=actor.kind,
            tenant_id=str(actor.tenant_ids[0]) if actor.tenant_ids else None,
        )


class _Answer:
    """A `send` that adds the common response headers."""

    __slots__ = ("_own", "_send", "_storable", "status")

    def __init__(self, send: Send, request_id: str, *, storable: bool) -> None:
        self._send = send
        self._own = (b"x-request-id", request_id.encode("ascii"))
        self._storable = storable
        self.status = STATUS_NONE

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), self._own, *_HEADERS]
            if not self._storable and not any(name == b"cache-control" for name, _ in headers):
                headers.append(_NO_STORE)
            message["headers"] = headers
        await self._send(message)


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


def _introduce(scope: Scope, headers: Mapping[bytes, bytes]) -> dict[str, Any]:
    """Fills the request's state with what is known before the token is checked."""
    client = scope.get("client")
    state = scope.setdefault("state", {})
    state["request_id"] = request_id(headers.get(b"x-request-id"))
    state["traceparent"] = traceparent(headers.get(b"traceparent"))
    state["client_ip"] = client[0] if client else None
    state["actor"] = ANONYMOUS
    return state


def _log_context(request: Mapping[str, Any]) -> dict[str, str]:
    context = {"request_id": request["request_id"]}
    if request["traceparent"] is not None:
        context["trace_id"] = trace_id(request["traceparent"])
    return context


async def _actor(scope: Scope, headers: Mapping[bytes, bytes]) -> Actor:
    if scope["path"] in NO_TOKEN_NEEDED or scope["path"].startswith(ASSETS):
        return ANONYMOUS
    several = len(headers) != len(scope["headers"])
    if several and sum(name == b"authorization" for name, _ in scope["headers"]) > 1:
        # A proxy in front of us may have checked the other one.
        raise Unauthenticated("There must be one Authorization header, not several.")
    state = scope["app"].state
    return await caller(headers[b"authorization"], verifier=state.verifier, places=state.engine.places)


async def _refuse(scope: Scope, receive: Receive, answer: _Answer, refusal: HoldfastError) -> None:
    if answer.status != STATUS_NONE:
        return  # The response had begun. The server closes the connection, which marks it as incomplete.
    response = problem(refusal, instance=scope["path"])
    if refusal.code == "PAYLOAD_TOO_LARGE":
        # The rest of the body is not read, so the connection can't be reused.
        response.headers["connection"] = "close"
    await response(scope, receive, answer)
