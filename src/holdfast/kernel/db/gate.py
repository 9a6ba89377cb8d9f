"""The gate for questions that anybody may ask: however many ask, those who change something hardly notice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from holdfast.kernel.db.deadline import part_s
from holdfast.kernel.db.slices import gives_way
from holdfast.kernel.errors import Overloaded

WAITING_MAX = 50
"""Questions of a kind that wait for the same place; more are refused at once."""
WAIT_S = 1.5
REST_S_MIN, REST_S_MAX = 0.02, 0.1

Key = tuple[UUID, str]


class Gate:
    """One at a time, those about different places and of different kinds in the order in which they came first: however
    many ask the same about one place, they are one in that queue.

    While changes are under way (`is_busy`), a question gives way after each of its slices (`Slices`), and at its end
    keeps its turn for as long again as it took, from REST_S_MIN to REST_S_MAX. Else it gets all of the time.
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
        """The turn of such a question about the place. Raises Overloaded when WAITING_MAX wait for it already, and
        after WAIT_S or what is left of the request's time."""
        key = place_id, kind
        if self._asking.get(key, 0) > WAITING_MAX:
            raise Overloaded("Too many ask about this place at once. Try again shortly.")
        self._asking[key] = self._asking.get(key, 0) + 1
        one = self._turns.setdefault(key, asyncio.Lock())
        try:
            async with AsyncExitStack() as turn:
                try:
                    async with asyncio.timeout(part_s(WAIT_S)):
                        await turn.enter_async_context(one)
                        await turn.enter_async_context(self._at_once)
                except TimeoutError:
                    raise Overloaded("Too many ask at once. Try again shortly.") from None
                began = time.perf_counter()
                token = gives_way.set(self._is_busy)
                try:
                    yield
                finally:
                    gives_way.reset(token)
                    if self._is_busy():
                        took = time.perf_counter() - began
                        await self._pause(min(max(took, REST_S_MIN), REST_S_MAX))
        finally:
            self._asking[key] -= 1
            if not self._asking[key]:
                del self._asking[key], self._turns[key]
