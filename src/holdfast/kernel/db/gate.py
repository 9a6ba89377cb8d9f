"""A gate for public queries: however many arrive, they hardly slow changes down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from holdfast.kernel.db.slices import giving_way
from holdfast.kernel.db.waiting import part_s
from holdfast.kernel.errors import Overloaded

WAITING_MAX = 50
"""Queries of one kind that may wait for the same place; more are refused at once."""
WAIT_S = 1.5
REST_S_MIN, REST_S_MAX = 0.02, 0.1

Key = tuple[UUID, str]


class Gate:
    """Runs one query at a time. Places and kinds of query take turns, first come, first served; all queries of one kind
    about one place share one position in that queue.

    While changes are running (`is_busy`), a query pauses after each slice (`Slices`), and when it ends it keeps its
    turn for as long again as it took, within REST_S_MIN and REST_S_MAX. Otherwise it runs at full speed.
    """

    def __init__(
        self, is_busy: Callable[[], bool], *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._is_busy = is_busy
        self._pause = pause
        self._at_once = asyncio.Lock()
        self._turns: dict[Key, asyncio.Lock] = {}
        self._asking: dict[Key, int] = {}

    @asynccontextmanager
    async def turn(self, place_id: UUID, kind: str) -> AsyncIterator[None]:
        """A turn for one query, for the block. Raises Overloaded when WAITING_MAX already wait for that kind and place,
        after WAIT_S, and at the request's deadline."""
        key = place_id, kind
        if self._asking.get(key, 0) > WAITING_MAX:
            raise Overloaded("Too many queries about this place are waiting. Try again shortly.")
        self._asking[key] = self._asking.get(key, 0) + 1
        one = self._turns.setdefault(key, asyncio.Lock())
        try:
            async with AsyncExitStack() as turn:
                try:
                    async with asyncio.timeout(part_s(WAIT_S)):
                        await turn.enter_async_context(one)
                        await turn.enter_async_context(self._at_once)
                except TimeoutError:
                    raise Overloaded("Too many queries are waiting. Try again shortly.") from None
                began = time.perf_counter()
                try:
                    with giving_way(self._is_busy):
                        yield
                finally:
                    if self._is_busy():
                        took = time.perf_counter() - began
                        await self._pause(min(max(took, REST_S_MIN), REST_S_MAX))
        finally:
            self._asking[key] -= 1
            if not self._asking[key]:
                del self._asking[key], self._turns[key]
