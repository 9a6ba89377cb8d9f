"""Subscribes streams to channels, and replays the events they missed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

from holdfast.kernel.actor import Actor
from holdfast.kernel.db.tx import part_s
from holdfast.kernel.errors import Overloaded
from holdfast.live import metrics
from holdfast.live.broadcast import RULES, is_availability
from holdfast.live.channels import Channel
from holdfast.live.frames import ChannelEvent, parse_cursor
from holdfast.live.hub import Hub
from holdfast.live.stream import BACKLOG_BYTES_MAX, Stream, Views

CHANNELS_MAX = 50
"""Channels that one stream may follow."""
READY_S_MAX = 1.5
AHEAD_S_MAX = 1.0
"""Time to catch up with a cursor from another process that has read further than this one."""

OFF = "Live channels are switched off on this server (HOLDFAST_LIVE=false)."


async def views(hub: Hub, names: Sequence[str], actor: Actor) -> Views:
    """Returns the actor's views of the named channels (at most CHANNELS_MAX names). Raises what `Names.view` raises."""
    return tuple(sorted({await hub.names.view(name, actor) for name in dict.fromkeys(names)}))


async def ready(hub: Hub) -> None:
    """Waits until the tail has reached the end of the events once, at most READY_S_MAX. Raises Overloaded."""
    if not hub.enabled:
        raise Overloaded(OFF, retry_after_seconds=60)
    try:
        async with asyncio.timeout(part_s(READY_S_MAX)):
            await hub.tail.ready.wait()
    except TimeoutError:
        raise Overloaded("Live channels are not ready yet. Connect again shortly.") from None


class Pinned:
    """Keeps channels open until a stream has joined their audience."""

    def __init__(self, hub: Hub, channels: Sequence[Channel]) -> None:
        self._hub = hub
        self._channels = channels

    def release(self) -> None:
        for channel in self._channels:
            self._hub.channels.unpin(channel)
        self._channels = ()


async def pinned(hub: Hub, wanted: Views) -> Pinned:
    """Opens the channels, reads their versions and pins them. Raises Overloaded."""
    keys = dict.fromkeys(key for key, _, _ in wanted)
    results = await asyncio.gather(*map(hub.channels.pin, keys), return_exceptions=True)
    pins = Pinned(hub, [result for result in results if isinstance(result, Channel)])
    for result in results:
        if isinstance(result, BaseException):
            pins.release()
            raise result
    return pins


async def wait_until_read(hub: Hub, after: str | None) -> None:
    """Waits until the tail has reached the cursor, at most AHEAD_S_MAX. Raises InvalidRequest for a bad cursor."""
    if after is None:
        return
    position, history = parse_cursor(after)
    if history == hub.tail.history and position > hub.broadcaster.position:
        try:
            async with asyncio.timeout(part_s(AHEAD_S_MAX)):
                await hub.tail.caught_up()
        except TimeoutError:
            return


def follow(
    hub: Hub, stream: Stream, wanted: Views, *, after: str | None = None, current: Views = ()
) -> list[bytes]:
    """Subscribes the stream to the channels, beyond its `current` ones; returns the frames missed since the cursor.

    Frames are in order. A channel whose missed events are not all in the replay buffer gets a reset instead, after
    all events. The channels must be pinned. This never awaits, so no event can fall between the replay and the live
    stream. Raises InvalidRequest for a malformed cursor, Overloaded if the history changed meanwhile.
    """
    broadcaster = hub.broadcaster
    for key, _, _ in (*current, *wanted):
        channel = broadcaster.channels.get(key)
        if channel is None or channel.epoch is None:  # the history has changed since it was pinned
            raise Overloaded("The database has another history now. Connect again.")
    hub.set_views(stream, tuple(sorted({*current, *wanted})))
    if after is None:
        return []
    transport = stream.packing.transport
    resets: list[tuple[str, Views]] = []
    missed: list[tuple[int, bytes]] = []
    position, history = parse_cursor(after)
    for view in wanted:
        key, name, viewer = view
        channel = broadcaster.channels.get(key)
        assert channel is not None
        reason = _cursor_reset(hub, position, history) or _channel_reset(hub, channel, position)
        if reason:
            resets.append((reason, (view,)))
            continue
        missed += [
            (event.position, broadcaster.frame(event, transport=transport, name=name, viewer=viewer))
            for event in broadcaster.ring.since(key, position)
        ]
    if sum(len(frame) for _, frame in missed) > BACKLOG_BYTES_MAX:
        resets, missed = [("much", wanted)], []
    for reason, of in resets:
        metrics.RESETS.labels(reason).inc(len(of))
    missed.sort(key=lambda positioned: positioned[0])
    metrics.REPLAYED.inc(len(missed))
    return [frame for _, frame in missed] + [
        frame for _, of in resets for frame in broadcaster.resets(stream.packing, of)
    ]


def _cursor_reset(hub: Hub, position: int, history: str) -> str | None:
    """Returns the reason why no channel can be replayed from the cursor; None if replay is possible."""
    if history != hub.broadcaster.history:
        return "history"
    if position > hub.broadcaster.position:
        return "future"
    return "old" if position < hub.broadcaster.ring.floor else None


def _channel_reset(hub: Hub, channel: Channel, position: int) -> str | None:
    """Returns the reason why this channel can't be replayed from the position; None if it can."""
    ring = hub.broadcaster.ring
    if position < channel.opened_here:
        return "unopened"
    if position <= channel.passed_at:
        return "time"  # nobody knows whether it was sent to this reader
    if is_availability(channel.key[2]) and ring.since((*channel.key[:2], RULES), position):
        return "rules"
    return None if _is_dense(ring.since(channel.key, position), channel) else "gap"


def _is_dense(events: list[ChannelEvent], channel: Channel) -> bool:
    if not events:
        return True
    last = events[-1]
    steps = all(b.version == a.version + 1 and b.epoch == a.epoch for a, b in pairwise(events))
    return steps and (last.epoch, last.version) == (channel.epoch, channel.version)


@contextmanager
def admitted(hub: Hub, stream: Stream) -> Iterator[None]:
    """Keeps the stream registered with the hub for the block. Raises Overloaded."""
    hub.admit(stream)
    try:
        yield
    finally:
        hub.leave(stream)
