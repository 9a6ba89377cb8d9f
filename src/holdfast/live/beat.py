"""What happens to streams because time passes: comments, ends of tokens."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from itertools import count

import structlog

from holdfast.kernel.failure import stack_of
from holdfast.live import metrics
from holdfast.live.stream import Stream

COMMENT_S = 15.0
"""Each SSE stream gets a comment so often, so that proxies keep it and readers know that it lives."""
BEATS = 60
"""One timer for all streams: they are spread over so many beats in that time."""

log = structlog.get_logger()


class Beat:
    """The one timer. `comment`: what a stream is told for it. `slow` is told a stream whose reader does not even
    take comments; `each` is called at every beat."""

    def __init__(
        self,
        *,
        comment: Callable[[Stream], bytes],
        slow: Callable[[Stream], None],
        each: Callable[[], None],
    ) -> None:
        self._comment = comment
        self._slow = slow
        self._each = each
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
        """From now on the stream is looked after."""
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
                # One stream that can't be served must not end the comments and tokens of all.
                log.error("live_beat_failed", error=type(error).__qualname__, stack=stack_of(error))

    def _beat(self) -> None:
        self._end_expired(time.time())
        self._next = (self._next + 1) % BEATS
        for stream in list(self._turns[self._next]):
            if stream.packing.transport == "sse" and not stream.tell([self._comment(stream)]):
                self._slow(stream)
        self._each()

    def _end_expired(self, now: float) -> None:
        for second in [each for each in self._ends if each <= now] if self._ends else ():
            for stream in self._ends.pop(second):
                metrics.TOKENS_ENDED.inc()
                stream.end("token")


def _second(stream: Stream) -> int:
    return math.ceil(stream.expires_at or 0)
