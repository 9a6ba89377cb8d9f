"""A virtual clock that people wait on: it advances when those who are awake have finished what they are doing."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

AT_ONCE_MAX: Final = 24
"""Maximum number of people awake at the same time."""
WINDOW: Final = timedelta(minutes=2)
"""How far ahead the first of them may be of the last: their clocks differ by up to this much."""

_own: ContextVar[datetime | None] = ContextVar("holdfast_simulated_now", default=None)


class Clock:
    """Virtual time. Everybody awake has their own current time; others see the latest of all.

    `most_at_once`: the most people who were awake at the same time.
    """

    def __init__(self, start: datetime) -> None:
        self.now = start
        self.most_at_once = 0
        self._waiting: list[tuple[datetime, int, asyncio.Future[datetime], asyncio.Task[Any]]] = []
        self._numbers = count()
        self._awake: dict[asyncio.Task[Any], datetime] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._failed: list[BaseException] = []

    def seen(self) -> datetime:
        """Returns the caller's current time."""
        return _own.get() or self.now

    def start(self, life: Coroutine[Any, Any, None]) -> None:
        """Starts a person's life. The clock waits for them except while they sleep on it."""
        task = asyncio.get_running_loop().create_task(life)
        self._tasks.add(task)
        self._awake[task] = self.now
        task.add_done_callback(self._ended)

    async def until(self, at: datetime) -> datetime:
        """Sleeps until then. Returns the time on waking, which is later after a jump."""
        future: asyncio.Future[datetime] = asyncio.get_running_loop().create_future()
        task = asyncio.current_task()
        assert task is not None
        heapq.heappush(self._waiting, (at, next(self._numbers), future, task))
        self._awake.pop(task, None)
        self._changed.set()
        now = await future
        _own.set(now)
        return now

    async def sleep(self, length: timedelta) -> datetime:
        return await self.until(self.seen() + length)

    def jump(self, length: timedelta) -> None:
        """Jumps ahead; people who slept until a time in between wake up late."""
        self.now += length

    async def run(self, *, until: datetime, passed: Callable[[datetime], None]) -> None:
        """Advances to `until`, when nobody is awake any more. `passed` is called with the time as it advances. Raises
        the exception of a life that failed."""
        while True:
            while len(self._awake) < AT_ONCE_MAX and self._wake_next(until):
                passed(self.now)
            if self._failed:
                raise self._failed[0]
            if not self._awake and (not self._waiting or self._waiting[0][0] > until):
                self.now = max(self.now, until)
                return
            self._changed.clear()
            await self._changed.wait()

    async def stop(self) -> None:
        """Ends all lives."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wake_next(self, until: datetime) -> bool:
        """Wakes the next person, unless the slowest of those awake is too far behind."""
        if not self._waiting or self._waiting[0][0] > until:
            return False
        at = max(self._waiting[0][0], self.now - WINDOW)
        if self._awake and at > min(self._awake.values()) + WINDOW:
            return False
        _, _, future, task = heapq.heappop(self._waiting)
        if not future.done():
            self.now = max(self.now, at)
            self._awake[task] = at
            self.most_at_once = max(self.most_at_once, len(self._awake))
            future.set_result(at)
        return True

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._awake.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed.append(error)
        self._changed.set()
