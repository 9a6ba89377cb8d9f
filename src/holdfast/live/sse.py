"""Server-sent events (WHATWG HTML, 9.2), as plain ASGI."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from holdfast.live.frames import opening
from holdfast.live.hub import Hub
from holdfast.live.outlets import SSE, SSE_WIRE, SendOutlet, WireOutlet, outlet_of
from holdfast.live.stream import Stream, Views
from holdfast.live.subscribe import Pinned, admitted, follow

RETRY_MS_MIN, RETRY_MS_MAX = 1_000, 5_000
"""Delay before a client reconnects, ms; random in this range, so that thousands don't reconnect at once."""

HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # makes nginx pass events on without buffering
)


class EventStream:
    """The response to one reader: missed events, then new ones, until either side ends it.

    An event is `id:` (a cursor), `event:` (its type) and `data:` (one JSON object). The first block has `retry:` and,
    unless missed events follow, the current cursor.
    """

    def __init__(
        self, hub: Hub, views: Views, pins: Pinned, *, after: str | None, expires_at: float | None
    ) -> None:
        self._hub = hub
        self._views = views
        self._pins = pins
        self._after = after
        self._expires_at = expires_at

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_part(part: bytes) -> None:
            await send({"type": "http.response.body", "body": part, "more_body": True})

        outlet, packed = outlet_of(scope, send_part, wire=SSE_WIRE, messages=SSE)
        stream = Stream(outlet, self._hub.outbox, packing=packed, expires_at=self._expires_at)
        try:
            with admitted(self._hub, stream):
                await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
                outlet.attach(drained=stream.flush, lost=lambda: stream.end("left"))
                self._begin(stream)
                await _ended(stream, receive, has_wire=isinstance(outlet, WireOutlet))
            if stream.ended.result() != "left":
                if isinstance(outlet, SendOutlet):
                    await outlet.finished()
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._pins.release()
            outlet.release()

    def _begin(self, stream: Stream) -> None:
        missed = follow(self._hub, stream, self._views, after=self._after)
        self._pins.release()
        retry_ms = random.randint(RETRY_MS_MIN, RETRY_MS_MAX)
        # With missed events to send, the reader is behind the current cursor: each frame carries its own.
        cursor = None if missed else self._hub.broadcaster.cursor()
        stream.send([opening(retry_ms=retry_ms, cursor=cursor), *missed])


async def _ended(stream: Stream, receive: Any, *, has_wire: bool) -> None:
    if has_wire:
        await stream.ended
        return
    gone = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait([gone, stream.ended], return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        stream.end("left")


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
