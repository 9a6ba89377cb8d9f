"""Beginning to follow channels, and what was missed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

from holdfast.kernel.actor import Actor
from holdfast.kernel.db.deadline import part_s
from holdfast.kernel.errors import Overloaded
from holdfast.live import metrics
from holdfast.live.broadcast import RULES, is_availability
from holdfast.live.channels import Channel
from holdfast.live.frames import ChannelEvent, parse_cursor
from holdfast.live.hub import Hub
from holdfast.live.stream import BACKLOG_BYTES_MAX, Stream, Views

CHANNELS_MAX = 50
"""Channels of one stream."""
READY_S_MAX = 1.5
AHEAD_S_MAX = 1.0
"""Another process may have told the client more than we have read; so long we wait to have read it too."""

OFF = "Live channels are switched off on this server (HOLDFAST_LIVE=false)."


async def views(hub: Hub, names: Sequence[str], actor: Actor) -> Views:
    """What the actor sees of the channels of these names, of which there are CHANNELS_MAX at most. Raises what
    `Names.view` does."""
    return tuple(sorted({await hub.names.view(name, actor) for name in dict.fromkeys(names)}))


async def ready(hub: Hub) -> None:
    """The hub knows how far events have come. Raises Overloaded."""
    if not hub.enabled:
        raise Overloaded(OFF, retry_after_seconds=60)
    try:
        async with asyncio.timeout(part_s(READY_S_MAX)):
            await hub.tail.ready.wait()
    except TimeoutError:
        raise Overloaded("Live channels are not ready yet. Connect again shortly.") from None


class Pinned:
    """Channels whose versions are known, for the time until a stream is seated."""

    def __init__(self, hub: Hub, channels: Sequence[Channel]) -> None:
        self._hub = hub
        self._channels = channels

    def release(self) -> None:
        for channel in self._channels:
            self._hub.channels.unpin(channel)
        self._channels = ()


async def pinned(hub: Hub, wanted: Views) -> Pinned:
    """The channels, open and with their versions known. Raises Overloaded."""
    keys = dict.fromkeys(key for key, _, _ in wanted)
    results = await asyncio.gather(*map(hub.channels.pin, keys), return_exceptions=True)
    pins = Pinned(hub, [result for result in results if isinstance(result, Channel)])
    for result in results:
        if isinstance(result, BaseException):
            pins.release()
            raise result
    return pins


async def wait_until_read(hub: Hub, after: str | None) -> None:
    """Waits until we have read what the cursor says, for AHEAD_S_MAX at most. Raises InvalidRequest."""
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
    """Has the stream follow these channels, and those `beside`, from now on; returns the frames that it missed
    since the cursor, in order. A channel whose missed events are not all known gets a reset instead, after them all.

    The channels must be pinned. Nothing is awaited here: not one event lies between what was missed and what
    the stream will be told. Raises InvalidRequest for what is no cursor.
    """
    broadcaster = hub.broadcaster
    for key, _, _ in (*current, *wanted):
        channel = broadcaster.channels.get(key)
        if channel is None or channel.epoch is None:  # somebody else has just begun to open it anew
            raise Overloaded("The database has another history now. Connect again.")
    hub.set_views(stream, tuple(sorted({*current, *wanted})))
    if after is None:
        return []
    transport = stream.packing.transport
    resets: list[tuple[str, Views]] = []
    missed: list[tuple[int, bytes]] = []
    position, history = parse_cursor(after)
    for view in wanted:
        key, name, staff = view
        channel = broadcaster.channels.get(key)
        assert channel is not None
        reason = _cursor_reset(hub, position, history) or _channel_reset(hub, channel, position)
        if reason:
            resets.append((reason, (view,)))
            continue
        missed += [
            (event.position, broadcaster.frame(event, transport=transport, name=name, staff=staff))
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
    """Why nothing can be said about what was missed since the cursor; None if it can."""
    if history != hub.broadcaster.history:
        return "history"
    if position > hub.broadcaster.position:
        return "future"
    return "old" if position < hub.broadcaster.ring.floor else None


def _channel_reset(hub: Hub, channel: Channel, position: int) -> str | None:
    """Why it can't be said of that channel; None if it can."""
    ring = hub.broadcaster.ring
    if position < channel.opened_here:
        return "unopened"
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
    """The stream is open for the block. Raises Overloaded."""
    hub.admit(stream)
    try:
        yield
    finally:
        hub.leave(stream)
