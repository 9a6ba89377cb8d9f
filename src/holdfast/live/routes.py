"""The HTTP side of live streams: server-sent events and the WebSocket.

Browsers can't set headers on an EventSource or a WebSocket, so these two paths also accept the token in the URL.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Header, Query, Request, Response, WebSocket

from holdfast.identity.token import TOKEN_CHARS_MAX
from holdfast.kernel.actor import ANONYMOUS, Actor
from holdfast.kernel.errors import Forbidden, HoldfastError, InvalidRequest, Unauthenticated
from holdfast.kernel.problem import problem
from holdfast.live import subscribe
from holdfast.live.frames import CURSOR_CHARS_MAX
from holdfast.live.hub import Hub
from holdfast.live.sse import EventStream
from holdfast.live.ws import Socket
from holdfast.snapshot.names import ChannelName

router = APIRouter(tags=["Live"])

TOKEN = "access_token"

Identify = Callable[[str], Awaitable[tuple[Actor, float]]]
"""Returns the actor of a token and its expiry (Unix time, seconds). Raises Unauthenticated, Overloaded."""
STREAM = {
    "description": "Frames with `id` (a cursor), `event` (its type, or `reset`) and `data` (one JSON object with "
    "`channel`, `epoch`, `version` and the event's fields) until the client disconnects; a comment every 15 s.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}
Channels = Annotated[
    list[ChannelName],
    Query(
        min_length=1,
        max_length=subscribe.CHANNELS_MAX,
        description="`availability:{tenant}:{venue}:{date}:{slotId}` or `chain.bookings.{tenant}.{venue}`, with "
        "tenant and venue by slug or id; at most 50 channels.",
    ),
]
After = Annotated[
    str | None,
    Query(max_length=CURSOR_CHARS_MAX, description="The `id` of the last frame you received. Missed events are sent "
          "first, or a `reset` for each channel whose missed events are not all available."),
]  # fmt: skip
LastEventId = Annotated[
    str | None, Header(max_length=CURSOR_CHARS_MAX, description="The same; takes precedence over `after`.")
]
Token = Annotated[
    str | None,
    Query(
        alias=TOKEN,
        max_length=TOKEN_CHARS_MAX,
        description="A bearer token, for browsers, which can't send it in a header here.",
    ),
]


class _Streamed(Response):
    """A response that hands the request to an EventStream."""

    def __init__(self, stream: EventStream) -> None:
        super().__init__(media_type="text/event-stream")
        self._stream = stream

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["is_stream"] = True
        await self._stream(scope, receive, send)


@router.get(
    "/live",
    operation_id="stream_live",
    summary="Follow channels",
    response_class=_Streamed,
    status_code=200,
    responses={200: STREAM},
)
async def get_live(
    request: Request,
    channel: Channels,
    after: After = None,
    last_event_id: LastEventId = None,
    access_token: Token = None,
) -> Response:
    """Streams events of channels as they happen (server-sent events).

    Connect first, then fetch the state (the availability snapshot, or the list of bookings), then apply the events:
    each frame's `version` is one more than the previous one on its channel. After a `reset`, fetch the state again.
    Availability is public; `chain.bookings` needs a token of the venue's staff. The stream ends when the token
    expires.
    """
    del access_token  # `take_token` reads it from the raw query string and removes it there
    state = request.app.state
    hub: Hub = state.hub
    await subscribe.ready(hub)
    actor, expires_at = await viewer(request.scope, state.identify)
    request.state.actor = actor
    views = await subscribe.views(hub, channel, actor)
    cursor = last_event_id or after or None
    await subscribe.wait_until_read(hub, cursor)
    pins = await subscribe.pinned(hub, views)
    return _Streamed(EventStream(hub, views, pins, after=cursor, expires_at=expires_at))


@router.websocket("/live/ws")
async def live_ws(socket: WebSocket) -> None:
    """Many channels on one connection, with subscribe and unsubscribe; see `holdfast.live.ws`."""
    state, scope = socket.app.state, socket.scope
    hub: Hub = state.hub
    try:
        await socket.receive()  # websocket.connect
        check_origin(dict(scope["headers"]), state.allowed_origins)
        await subscribe.ready(hub)
        actor, expires_at = await viewer(scope, state.identify)
        scope["state"]["actor"] = actor
        await Socket(hub, actor, expires_at=expires_at)(scope, socket.receive, socket.send)
    except HoldfastError as refusal:
        await _refuse(socket, refusal)


async def _refuse(socket: WebSocket, refusal: HoldfastError) -> None:
    """Answers the handshake with the problem if the server supports that, or else with 403."""
    if "websocket.http.response" in (socket.scope.get("extensions") or {}):
        await socket.send_denial_response(problem(refusal, instance=socket.scope["path"]))
    else:
        await socket.close(reason=refusal.code)


def take_token(scope: Any) -> str | None:
    """Returns the request's token from its header or its query string, and removes it from the latter: no log shows it.

    Raises InvalidRequest for more than one token, Unauthenticated for an Authorization header without a bearer token.
    """
    asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    given = [value for name, value in asked if name == TOKEN]
    if given:
        scope["query_string"] = urlencode([pair for pair in asked if pair[0] != TOKEN]).encode("ascii")
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthenticated("The Authorization header must read: Bearer <token>.")
            given.append(token.strip())
    if len(given) > 1:
        raise InvalidRequest(f"Send one token: in the Authorization header, or as {TOKEN}.")
    return given[0] if given else None


async def viewer(scope: Any, identify: Identify) -> tuple[Actor, float | None]:
    """Returns the actor and the token's expiry (Unix time, seconds); ANONYMOUS and None without a token.

    Raises Unauthenticated for an expired token, and what `take_token` and `identify` raise.
    """
    token = take_token(scope)
    if token is None:
        return ANONYMOUS, None
    actor, expires_at = await identify(token)
    if expires_at <= time.time():
        raise Unauthenticated("The token has expired.")
    return actor, expires_at


def check_origin(headers: dict[bytes, bytes], allowed: Collection[str]) -> None:
    """Accepts the service's own origin, allowed origins, and clients without an origin (not browsers).

    Browsers let any page open a WebSocket to any server, so this check is ours. Raises Forbidden.
    """
    origin = headers.get(b"origin")
    if origin is None:
        return
    text = origin.decode("latin-1").lower().rstrip("/")
    host = headers.get(b"host", b"").decode("latin-1").lower()
    try:
        same = urlsplit(text).netloc == host != ""
    except ValueError:
        same = False
    if not same and text not in allowed:
        raise Forbidden(
            "Pages of this origin may not connect: it must be the service's own origin or one listed in "
            "HOLDFAST_ALLOWED_ORIGINS."
        )


def origins(setting: str | None) -> frozenset[str]:
    """Parses a comma-separated list of origins."""
    listed = (origin.strip().lower().rstrip("/") for origin in (setting or "").split(","))
    return frozenset(origin for origin in listed if origin)
