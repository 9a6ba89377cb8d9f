"""The WebSocket: many channels on one connection, with subscribe and unsubscribe. Plain ASGI.

The client sends `subscribe`, `unsubscribe` and `ping`; the server sends `subscribed`, `event`, `reset`, `pong` and
`error`. A message that can't be carried out is answered with `error`, and the connection stays open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from holdfast.channel.names import public_epoch
from holdfast.kernel.actor import Actor
from holdfast.kernel.body import Body
from holdfast.kernel.encode import encode
from holdfast.kernel.errors import HoldfastError, InvalidRequest
from holdfast.kernel.words.sentences import sentence_of
from holdfast.live.frames import CURSOR_CHARS_MAX
from holdfast.live.hub import Hub
from holdfast.live.outlets import WS, WS_WIRE, SendOutlet, outlet_of
from holdfast.live.stream import Stream, Views
from holdfast.live.subscribe import CHANNELS_MAX, admitted, follow, pinned, views, wait_until_read
from holdfast.snapshot.names import ChannelName

MESSAGE_BYTES_MAX = 64 * 1024
OPS_PER_S_MAX = 20
"""Messages a second; faster clients are read more slowly (a token bucket of OPS_BURST_MAX)."""
OPS_BURST_MAX = 40

CLOSE_CODES = {"token": 4401, "slow": 1013, "lost": 1012, "shutdown": 1012}
REASONS = {
    "token": "The token has expired.",
    "slow": "The client read too slowly.",
    "lost": "Connect again.",
    "shutdown": "Connect again.",
}

Names = Annotated[list[ChannelName], Field(min_length=1, max_length=CHANNELS_MAX)]


class Subscribe(Body):
    """Follow these channels. `after`: a cursor; the events missed since then are sent first."""

    op: Literal["subscribe"]
    channels: Names
    after: Annotated[str, Field(max_length=CURSOR_CHARS_MAX)] | None = None


class Unsubscribe(Body):
    """Stop following these channels."""

    op: Literal["unsubscribe"]
    channels: Names


class Ping(Body):
    """Answered with `pong`."""

    op: Literal["ping"]


Op = Annotated[Subscribe | Unsubscribe | Ping, Field(discriminator="op")]
_OP: TypeAdapter[Subscribe | Unsubscribe | Ping] = TypeAdapter(Op)


class Socket:
    """One actor's WebSocket."""

    def __init__(self, hub: Hub, actor: Actor, *, expires_at: float | None) -> None:
        self._hub = hub
        self._actor = actor
        self._expires_at = expires_at
        self._views: dict[str, Views] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_part(part: bytes) -> None:
            await send({"type": "websocket.send", "text": part.decode()})

        outlet, packed = outlet_of(scope, send_part, wire=WS_WIRE, messages=WS)
        self._stream = Stream(outlet, self._hub.outbox, packing=packed, expires_at=self._expires_at)
        try:
            with admitted(self._hub, self._stream):
                await send({"type": "websocket.accept"})
                outlet.attach(drained=self._stream.flush, lost=lambda: self._stream.end("left"))
                await self._serve(receive)
            why = self._stream.ended.result()
            if why != "left":
                if isinstance(outlet, SendOutlet):
                    await outlet.finished()
                await send({"type": "websocket.close", "code": CLOSE_CODES[why], "reason": REASONS[why]})
        finally:
            outlet.release()

    async def _serve(self, receive: Any) -> None:
        loop = asyncio.get_running_loop()
        ended, left, filled_at = self._stream.ended, float(OPS_BURST_MAX), loop.time()
        while not ended.done():
            received = asyncio.ensure_future(receive())
            await asyncio.wait([received, ended], return_when=asyncio.FIRST_COMPLETED)
            if not received.done():
                received.cancel()
                return
            message = received.result()
            if message["type"] != "websocket.receive":
                self._stream.end("left")
                return
            now = loop.time()
            left, filled_at = min(OPS_BURST_MAX, left + (now - filled_at) * OPS_PER_S_MAX) - 1, now
            if left < 0:
                # Backpressure: unread messages fill the connection, and the client has to wait.
                await asyncio.wait([ended], timeout=-left / OPS_PER_S_MAX)
                if ended.done():
                    return
            await self._handle(message.get("text") or message.get("bytes") or b"")

    async def _handle(self, message: str | bytes) -> None:
        try:
            await self._do(_parsed(message))
        except HoldfastError as refusal:
            self._reply({"op": "error", "code": refusal.code, "detail": refusal.detail})

    async def _do(self, op: Subscribe | Unsubscribe | Ping) -> None:
        if isinstance(op, Subscribe):
            await self._subscribe(op.channels, op.after)
        elif isinstance(op, Unsubscribe):
            for name in op.channels:
                self._views.pop(name, None)
            self._hub.set_views(self._stream, self._all())
        else:
            self._reply({"op": "pong"})

    async def _subscribe(self, names: Sequence[str], after: str | None) -> None:
        if len({*names, *self._views}) > CHANNELS_MAX:
            raise InvalidRequest.of("channels", len(names), f"at most {CHANNELS_MAX} on one connection")
        wanted = await views(self._hub, names, self._actor)
        pins = await pinned(self._hub, wanted)
        try:
            await wait_until_read(self._hub, after)
            missed = follow(self._hub, self._stream, wanted, after=after, current=self._all())
            for view in wanted:
                self._views[orjson.loads(view[1])] = (view,)
            # After the missed events: the client then has everything up to this version, or gets it by the snapshot.
            self._send([*missed, encode({"op": "subscribed", "channels": self._versions(wanted)})])
        finally:
            pins.release()

    def _versions(self, wanted: Views) -> dict[str, Any]:
        versions: dict[str, Any] = {}
        for key, name, _ in wanted:
            channel = self._hub.channels.get(key)
            assert channel is not None
            assert channel.epoch is not None
            epoch = public_epoch(channel.epoch, self._hub.broadcaster.history)
            versions[orjson.loads(name)] = {"epoch": epoch, "version": channel.version}
        return versions

    def _all(self) -> Views:
        return tuple(sorted(view for views_ in self._views.values() for view in views_))

    def _reply(self, message: dict[str, Any]) -> None:
        self._send([encode(message)])

    def _send(self, frames: list[bytes]) -> None:
        if not self._stream.send(frames):
            self._hub.drop(self._stream)


def _parsed(message: str | bytes) -> Subscribe | Unsubscribe | Ping:
    if len(message) > MESSAGE_BYTES_MAX:
        raise InvalidRequest(f"A message may have at most {MESSAGE_BYTES_MAX} bytes.")
    try:
        return _OP.validate_json(message)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(
            str(part) for part in first["loc"] if part not in ("subscribe", "unsubscribe", "ping")
        )
        raise InvalidRequest(f"{where or 'message'}: {sentence_of(first)}") from None
