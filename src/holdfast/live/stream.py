"""A reader's stream with its bounded backlog, audiences of readers who get the same bytes, and the timer that sends
heartbeats and ends streams whose token has expired."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from itertools import count
from typing import Literal

import structlog

from holdfast.channel.names import ChannelView
from holdfast.kernel.failure import stack_of
from holdfast.live import metrics
from holdfast.live.outlets import Outlet, Packing

BACKLOG_BYTES_MAX = 1_000_000
"""Size of a reader's backlog. When it overflows, the backlog is discarded and the stream is closed."""
STALLED_CLOSE_S = 5.0
"""Time a reader has, when its stream ends, to read what the socket already holds; then the connection is aborted."""
WRITES_AT_ONCE = 100
"""Writes in one turn of the event loop; then other tasks run."""
COMMENT_S = 15.0
"""Interval of comments on an SSE stream, which keep proxies from closing it and show readers that it is alive."""
BEATS = 60
"""Number of ticks in COMMENT_S over which the one timer spreads all streams."""

End = Literal["left", "token", "slow", "lost", "shutdown"]
Views = tuple[ChannelView, ...]
"""The channels of one reader, sorted."""
log = structlog.get_logger()


class Outbox:
    """A queue of pending writes, of which each turn of the event loop does up to WRITES_AT_ONCE."""

    def __init__(self) -> None:
        self._queue: deque[Callable[[], None]] = deque()
        self._scheduled = False

    def add(self, write: Callable[[], None]) -> None:
        """Queues the call behind those added earlier."""
        self._queue.append(write)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        for _ in range(min(WRITES_AT_ONCE, len(self._queue))):
            try:
                self._queue.popleft()()
            except Exception as error:
                # One failure must not stop the writes behind it.
                log.error("live_write_failed", error=type(error).__qualname__, stack=stack_of(error))
        self._scheduled = bool(self._queue)
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._run)


class Stream:
    """One reader of any number of channels.

    `expires_at`: expiry of its token (Unix time, seconds), None for an anonymous reader. `ended`: resolves to the
    reason when the stream ends; its server task then closes the connection.
    """

    __slots__ = (
        "_dirty", "_dropped", "_outbox", "_outlet", "_waiting", "_waiting_bytes", "ended", "expires_at", "packing",
    )  # fmt: skip

    def __init__(self, outlet: Outlet, outbox: Outbox, *, packing: Packing, expires_at: float | None) -> None:
        self._outlet = outlet
        self._outbox = outbox
        self.packing = packing
        self.expires_at = expires_at
        self.ended: asyncio.Future[End] = asyncio.get_running_loop().create_future()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._dirty = False
        self._dropped = False

    def send(self, frames: list[bytes]) -> bool:
        """Sends frames to this reader only; returns False when its backlog is full."""
        parts = self.packing.pack(frames)
        return self.push(parts, sum(map(len, parts)))

    def push(self, parts: list[bytes], size: int) -> bool:
        """Sends packed parts of `size` bytes in total; returns False when the backlog is full."""
        if self._dropped or self.ended.done():
            return True
        self._waiting += parts
        self._waiting_bytes += size
        if not self._dirty:
            self._dirty = True
            self._outbox.add(self.flush)
        if self._waiting_bytes > BACKLOG_BYTES_MAX:
            self.flush()  # the reader need not be slow: this may be one large batch
        return self._waiting_bytes <= BACKLOG_BYTES_MAX

    def flush(self) -> None:
        """Writes the backlog to the outlet, unless that is paused: then it calls this again when it is ready."""
        self._dirty = False
        if not self._waiting or self._outlet.paused or self.ended.done():
            return
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        try:
            self._outlet.write(waiting)
        except Exception as error:
            log.error("live_write_failed", error=type(error).__qualname__)
            self.end("lost")
            return
        if self._dropped:
            self.end("slow")

    def drop(self, farewell: list[bytes]) -> None:
        """Discards a slow reader's backlog, queues the farewell, and aborts the connection after STALLED_CLOSE_S."""
        self._waiting, self._waiting_bytes = self.packing.pack(farewell), 0
        self._dropped = True
        self._outbox.add(self.flush)
        self._cut_off_later()

    def _cut_off_later(self) -> None:
        asyncio.get_running_loop().call_later(STALLED_CLOSE_S, self._cut_off)

    def _cut_off(self) -> None:
        # Needed even after the end: the socket's buffer may still hold data that the reader never takes.
        self._outlet.abort()
        self.end("slow")

    def end(self, why: End) -> None:
        """Ends the stream; nothing more is written.

        The server has STALLED_CLOSE_S to close the connection properly. Then it is aborted, since the reader may never
        take what the socket's buffer holds.
        """
        if self.ended.done():
            return
        self._waiting = []
        self.ended.set_result(why)
        if why != "left":
            self._cut_off_later()


class Audience:
    """Readers who get the same bytes: the same channels under the same names, with the same view and packing.
    `pending`: frames not yet packed for them."""

    __slots__ = ("packing", "pending", "streams", "views")

    def __init__(self, packing: Packing, views: Views) -> None:
        self.packing = packing
        self.views = views
        self.streams: dict[Stream, None] = {}
        self.pending: list[bytes] = []


class Heartbeat:
    """The one timer of all streams.

    `comment` returns the comment for a stream. `slow` is called with a stream whose backlog the comment overflows,
    `on_beat` at every tick.
    """

    def __init__(
        self,
        *,
        comment: Callable[[Stream], bytes],
        slow: Callable[[Stream], None],
        on_beat: Callable[[], None],
    ) -> None:
        self._comment = comment
        self._slow = slow
        self._on_beat = on_beat
        self._turns: list[dict[Stream, None]] = [{} for _ in range(BEATS)]
        self._turn_of: dict[Stream, int] = {}
        self._next = 0
        self._ends: dict[int, dict[Stream, None]] = {}
        self._counter = count()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def add(self, stream: Stream) -> None:
        """Adds the stream to the timer."""
        number = next(self._counter)
        self._turn_of[stream] = number % BEATS
        self._turns[number % BEATS][stream] = None
        if stream.expires_at is not None:
            self._ends.setdefault(_second(stream), {})[stream] = None

    def discard(self, stream: Stream) -> None:
        turn = self._turn_of.pop(stream, None)
        if turn is not None:
            del self._turns[turn][stream]
            of_second = self._ends.get(_second(stream), {})
            of_second.pop(stream, None)
            if not of_second:
                self._ends.pop(_second(stream), None)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(COMMENT_S / BEATS)
            try:
                self._beat()
            except Exception as error:
                # A failure with one stream must not stop comments and token expiry for the others.
                log.error("live_beat_failed", error=type(error).__qualname__, stack=stack_of(error))

    def _beat(self) -> None:
        self._end_expired(time.time())
        self._next = (self._next + 1) % BEATS
        for stream in list(self._turns[self._next]):
            if stream.packing.transport == "sse" and not stream.send([self._comment(stream)]):
                self._slow(stream)
        self._on_beat()

    def _end_expired(self, now: float) -> None:
        for second in [second for second in self._ends if second <= now] if self._ends else ():
            for stream in self._ends.pop(second):
                metrics.TOKENS_ENDED.inc()
                stream.end("token")


def _second(stream: Stream) -> int:
    return math.ceil(stream.expires_at or 0)
