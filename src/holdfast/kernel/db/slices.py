"""Slices long work so that it does not block the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

SLICE_S = 0.002
PAUSE_TIMES, PAUSE_S_MAX = 3, 0.05

_way: ContextVar[tuple[Callable[[], bool], Callable[[], Awaitable[None]] | None] | None] = ContextVar(
    "holdfast_gives_way", default=None
)


@contextmanager
def giving_way(
    is_wanted: Callable[[], bool], *, hand_over: Callable[[], Awaitable[None]] | None = None
) -> Iterator[None]:
    """While `is_wanted` says that more important work is running, the block uses only a quarter of the time.
    `hand_over`: called after each slice, to let others of its kind have theirs."""
    token = _way.set((is_wanted, hand_over))
    try:
        yield
    finally:
        _way.reset(token)


class Slices:
    """Measures the time since the work last yielded to the event loop."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    async def rest(self) -> bool:
        """Yields to the event loop if SLICE_S have passed since the last time, database waits included. While
        giving way, it pauses for PAUSE_TIMES as long as the slice took, PAUSE_S_MAX at most. Returns whether it did."""
        took = time.perf_counter() - self._began
        if took < SLICE_S:
            return False
        is_wanted, hand_over = _way.get() or (None, None)
        await asyncio.sleep(
            min(PAUSE_TIMES * took, PAUSE_S_MAX) if is_wanted is not None and is_wanted() else 0
        )
        if hand_over is not None:
            await hand_over()
        self._began = time.perf_counter()
        return True
