"""The middleware around every route. For each request, in this order:

1. Assigns a request id and a trace, for log lines and the response.
2. Refuses a body that is too long.
3. Turns the bearer token into an actor; refuses an invalid one.
4. Calls the handler, if it can without the framework; an unexpected error becomes a 500 without details.
5. Adds the common response headers; counts, times and logs the request.

A live stream is logged when it ends, and not timed.
`request.state` then has `actor`, `request_id`, `traceparent` (None without one) and `client_ip`.
"""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Mapping
from contextvars import Token
from functools import lru_cache
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from holdfast.identity.roles import actor_of
from holdfast.identity.token import TokenVerifier
from holdfast.kernel.actor import ANONYMOUS, Actor
from holdfast.kernel.db.tx import request_deadline
from holdfast.kernel.errors import HoldfastError, Unauthenticated
from holdfast.kernel.failure import InternalError, stack_of
from holdfast.kernel.telemetry import ABOUT, CONTEXT, About, request_log
from holdfast.main.http.operations import METHODS, REQUESTS, SECONDS
from holdfast.main.http.refusals import BODY_BYTES_MAX, PayloadTooLarge, counting, refuse
from holdfast.main.http.shortcut import Handler
from holdfast.main.http.trace import request_id, trace_id, traceparent
from holdfast.place.places import Places

NO_TOKEN_NEEDED = frozenset(
    {"/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/asyncapi.json"}
)
ASSETS = "/docs/"
ACTORS_CACHED_MAX = 8192
STATUS_NONE = 499
"""Logged as the status if the client disconnected before there was a response."""
SUBJECT_ID = re.compile(r"[A-Za-z0-9|:_.-]{1,64}")
"""What issuers use as ids: no spaces, no @."""
UNMATCHED = "unmatched"
"""Logged as the route of a request that matches none."""

_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
_NO_STORE = (b"cache-control", b"no-store")
# The verifier returns the same claims object for the same token, so each actor is built once.
_actor_of = lru_cache(ACTORS_CACHED_MAX)(actor_of)

log = structlog.get_logger()


class Middleware:
    """The middleware around HTTP routes. `shortcuts`: handlers called without the framework, by method and path.

    `templates`: path templates, by the `endpoint` in a matched scope.
    `request_deadline_s`: the longest time a request may wait, in total.
    Expects `verifier`, `engine` and `tally` on the application's state.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        shortcuts: Mapping[tuple[str, str], Handler],
        templates: Mapping[Any, str],
        request_deadline_s: float,
    ) -> None:
        self._app = app
        self._shortcuts = shortcuts
        self._templates = templates
        self._request_deadline_s = request_deadline_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.others(scope, receive, send)
            return
        started = time.perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        bound = introduce(scope, headers)
        answer = _Answer(send, scope["state"]["request_id"], storable=scope["path"].startswith(ASSETS))
        tally: Tally = scope["app"].state.tally
        tally.in_flight += 1
        try:
            with request_deadline(self._request_deadline_s):
                await self._answer(scope, receive, answer, headers)
        finally:
            tally.in_flight -= 1
            self.record(scope, status=answer.status, seconds=time.perf_counter() - started)
            CONTEXT.reset(bound)

    async def others(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Takes what is not an HTTP request."""
        await self._app(scope, receive, send)

    async def _answer(
        self, scope: Scope, receive: Receive, answer: _Answer, headers: Mapping[bytes, bytes]
    ) -> None:
        try:
            receive = _limited(receive, headers)
            if b"authorization" in headers:
                scope["state"]["actor"] = await _actor(scope, headers)
            await self._call(scope, receive, answer)
        except HoldfastError as refusal:
            if answer.status == STATUS_NONE:
                await refuse(scope, receive, answer, refusal)
        except ClientDisconnect:
            return  # The client is gone.
        except Exception as error:
            log.error("request_failed", error=type(error).__qualname__, stack=stack_of(error))
            # If the response had begun, the server closes the connection, which marks it as incomplete.
            if answer.status == STATUS_NONE:
                await refuse(scope, receive, answer, InternalError(request_id=scope["state"]["request_id"]))

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_plain = not scope.get("root_path") and not scope["query_string"]
        handler = self._shortcuts.get((scope["method"], scope["path"])) if is_plain else None
        if handler is None:
            await self._app(scope, receive, send)
            return
        scope["endpoint"] = handler
        response = await handler(Request(scope, receive, send))
        await response(scope, receive, send)

    def record(self, scope: Scope, *, status: int, seconds: float) -> None:
        """Counts, times and logs a request that has ended."""
        method, route = scope["method"], self._templates.get(scope.get("endpoint"), UNMATCHED)
        tally: Tally = scope["app"].state.tally
        timed = None if scope["state"].get("is_stream") else seconds
        tally.count(method=method, route=route, status=status, seconds=timed)
        actor: Actor = scope["state"]["actor"]
        about: About = scope["state"]["about"]
        write = request_log.debug if scope["path"] in NO_TOKEN_NEEDED else request_log.info
        write(
            "request",
            **CONTEXT.get(),
            method=method,
            route=route,
            status=status,
            code=about.code,
            ms=round(seconds * 1000, 3),
            actor=actor.kind,
            subject=None if actor.kind == "anonymous" else subject_logged(actor.id),
            tenant_id=actor.tenant_ids[0] if actor.tenant_ids else None,
            venue_id=next(iter(about.venue_ids)) if len(about.venue_ids) == 1 else None,
        )


@lru_cache(ACTORS_CACHED_MAX)
def subject_logged(subject: str) -> str:
    """Returns the subject as log lines have it: an id as it is, anything that may be a name or an address as a digest,
    by which the lines of one person are still found."""
    if SUBJECT_ID.fullmatch(subject):
        return subject
    return "sha256:" + hashlib.sha256(subject.encode("utf-8", "replace")).hexdigest()[:16]


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


class Tally:
    """Counts requests; looks each time series up only once. Use it from one event loop only."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._counters: dict[tuple[str, str, int], Any] = {}
        self._times: dict[str, Any] = {}

    def count(self, *, method: str, route: str, status: int, seconds: float | None) -> None:
        """Counts a request. `route`: its path template, as each value becomes a time series. `seconds`: None for
        streams, which last as long as the client likes."""
        counter = self._counters.get((method, route, status))
        if counter is None:
            labels = (method if method in METHODS else "OTHER", route, str(status))
            counter = REQUESTS.labels(*labels)
            if method in METHODS:
                self._counters[method, route, status] = counter
        counter.inc()
        if seconds is None:
            return
        times = self._times.get(route)
        if times is None:
            times = self._times[route] = SECONDS.labels(route)
        times.observe(seconds)


def introduce(scope: Scope, headers: Mapping[bytes, bytes]) -> Token[dict[str, str]]:
    """Fills the request's state with what is known before the token is checked, and sets the fields that all its log
    lines have. Returns what resets those."""
    client = scope.get("client")
    given, parent = headers.get(b"x-request-id"), headers.get(b"traceparent")
    new_id = f"{random.getrandbits(128):032x}"  # an identifier, not a secret
    state = scope.setdefault("state", {})
    state["request_id"] = new_id if given is None else request_id(given) or new_id
    state["traceparent"] = None if parent is None else traceparent(parent)
    state["client_ip"] = client[0] if client else None
    state["actor"] = ANONYMOUS
    state["about"] = about = About()
    ABOUT.set(about)
    fields = {"request_id": state["request_id"]}
    if state["traceparent"] is not None:
        fields["trace_id"] = trace_id(state["traceparent"])
    return CONTEXT.set(fields)


def _limited(receive: Receive, headers: Mapping[bytes, bytes]) -> Receive:
    """Returns a `receive` that raises PayloadTooLarge if the body gets too long; or raises it at once."""
    announced = headers.get(b"content-length")
    if announced is None:
        return counting(receive) if b"transfer-encoding" in headers else receive
    # The server enforces Content-Length, so there is nothing to count.
    if not announced.strip().isdigit() or int(announced) > BODY_BYTES_MAX:
        raise PayloadTooLarge
    return receive


async def _actor(scope: Scope, headers: Mapping[bytes, bytes]) -> Actor:
    """Returns the actor who bears the token. Raises the same as `bearer`, which it calls if the path needs a token."""
    if scope["path"] in NO_TOKEN_NEEDED or scope["path"].startswith(ASSETS):
        return ANONYMOUS
    several = len(headers) != len(scope["headers"])
    if several and sum(name == b"authorization" for name, _ in scope["headers"]) > 1:
        # A proxy in front of us may have checked the other one.
        raise Unauthenticated("There must be one Authorization header, not several.")
    scheme, _, token = headers[b"authorization"].decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("The Authorization header must read: Bearer <token>.")
    state = scope["app"].state
    return (await bearer(token.strip(), verifier=state.verifier, places=state.engine.places))[0]


async def bearer(token: str, *, verifier: TokenVerifier, places: Places) -> tuple[Actor, float]:
    """Returns the actor of a token, and when the token expires (seconds since 1970).

    Raises `Unauthenticated` for an invalid token or one for an unknown tenant; `Overloaded` when the tenant can't be
    looked up.
    """
    claims = await verifier.authenticate(token, time.time())
    if claims.tenant is None:
        return _actor_of(claims, None), claims.expires_at
    tenant_id = await places.tenant_id(claims.tenant)
    if tenant_id is None:
        raise Unauthenticated("The token's tenant does not exist here.")
    return _actor_of(claims, tenant_id), claims.expires_at
