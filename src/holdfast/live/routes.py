"""The live streams over HTTP: server-sent events, and the WebSocket."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response, WebSocket

from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.http import problem
from holdfast.live import subscribe
from holdfast.live.frames import CURSOR_CHARS_MAX
from holdfast.live.hub import Hub
from holdfast.live.sse import EventStream
from holdfast.live.viewer import TOKEN, check_origin, viewer
from holdfast.live.ws import Socket

router = APIRouter(tags=["Live"])

STREAM = {
    "description": "Frames of `id` (a cursor), `event` (its type, or `reset`) and `data` (one JSON object with "
    "`channel`, `epoch`, `version` and what happened), for as long as the client stays; a comment every 15 s.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}
Channels = Annotated[
    list[str],
    Query(
        min_length=1,
        max_length=subscribe.CHANNELS_MAX,
        description="`availability:{tenant}:{venue}:{date}:{slotId}` or `chain.bookings.{tenant}.{venue}`, with "
        "tenant and venue by slug or id; up to 50.",
    ),
]
After = Annotated[
    str | None,
    Query(max_length=CURSOR_CHARS_MAX, description="The `id` of the last frame that came: what was missed since "
          "comes first, or `reset` for each channel of which that can't be said exactly."),
]  # fmt: skip
LastEventId = Annotated[
    str | None, Header(max_length=CURSOR_CHARS_MAX, description="The same; goes before `after`.")
]
Token = Annotated[
    str | None,
    Query(alias=TOKEN, description="A bearer token, for browsers, which can't send it as a header here."),
]


class _Streamed(Response):
    """A response that is an ASGI application of its own."""

    def __init__(self, stream: EventStream) -> None:
        super().__init__(media_type="text/event-stream")
        self._stream = stream

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["is_stream"] = True
        await self._stream(scope, receive, send)


@router.get(
    "/live", summary="Follow channels", response_class=_Streamed, status_code=200, responses={200: STREAM}
)
async def get_live(
    request: Request,
    channel: Channels,
    after: After = None,
    last_event_id: LastEventId = None,
    access_token: Token = None,
) -> Response:
    """What happens on channels, as it happens (server-sent events).

    Connect first, then fetch the state (the snapshot of availability, the list of bookings), then go by what
    comes: each frame's `version` is one more than the one before on its channel. After `reset`, fetch the state
    anew. Availability is public; `chain.bookings` needs a staff token of the venue. The stream ends when the
    token does.
    """
    del access_token  # taken from the address as it came, and out of it
    state = request.app.state
    hub: Hub = state.hub
    await subscribe.ready(hub)
    actor, expires_at = await viewer(request.scope, state.identify)
    request.state.actor = actor
    views = await subscribe.views(hub, channel, actor)
    cursor = last_event_id or after or None
    await subscribe.not_ahead(hub, cursor)
    pins = await subscribe.pinned(hub, views)
    return _Streamed(EventStream(hub, views, pins, after=cursor, expires_at=expires_at))


@router.websocket("/live/ws")
async def live_ws(socket: WebSocket) -> None:
    """Many channels on one connection, followed and left at will; see `holdfast.live.ws`."""
    state, scope = socket.app.state, socket.scope
    hub: Hub = state.hub
    try:
        await socket.receive()  # that it wants to connect
        check_origin(dict(scope["headers"]), state.allowed_origins)
        await subscribe.ready(hub)
        actor, expires_at = await viewer(scope, state.identify)
        scope["state"]["actor"] = actor
        await Socket(hub, actor, expires_at=expires_at)(scope, socket.receive, socket.send)
    except HoldfastError as refusal:
        await _refuse(socket, refusal)


async def _refuse(socket: WebSocket, refusal: HoldfastError) -> None:
    """The handshake is answered with the problem, if the server can do that, or else with 403."""
    if "websocket.http.response" in (socket.scope.get("extensions") or {}):
        await socket.send_denial_response(problem(refusal, instance=socket.scope["path"]))
    else:
        await socket.close(reason=refusal.code)
