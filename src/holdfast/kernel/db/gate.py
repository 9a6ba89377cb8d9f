"""A gate for public queries: however many arrive, they hardly slow changes down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from uuid import UUID

from holdfast.kernel.db.slices import giving_way
from holdfast.kernel.db.tx import part_s
from holdfast.kernel.errors import Overloaded

WAITING_MAX = 50
"""Queries of one kind that may wait for the same place; more are refused at once."""
WAIT_S = 1.5
BEGUN_MAX = 2
"""Queries that may have begun, each about another place."""
TURN_S = 0.05
"""A query that has had its turn for so long lets another go on: most end before that."""
REST_S_MIN, REST_S_MAX = 0.02, 0.1

Key = tuple[UUID, str]
Part = Callable[[], AbstractAsyncContextManager[None]]


class Gate:
    """Runs one query at a time, for a slice at a time, so that no place waits for all that another asks.

    1. All queries of one kind about one place wait for each other: first come, first served.
    2. A query runs in one or more parts. The parts of one place take turns, and so do the places: each place has one
       position in the queue for the `begun_max` parts that may have begun.
    3. Those that have begun take turns too: after the first slice (`Slices`) that ends past TURN_S, the other goes on.

    While changes are running (`is_busy`), a query pauses after each slice, and when a part ends it keeps its turn for
    as long again as it took, within REST_S_MIN and REST_S_MAX. Otherwise it runs at full speed.
    """

    def __init__(
        self,
        is_busy: Callable[[], bool],
        *,
        begun_max: int = BEGUN_MAX,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`begun_max`: must be lower where so many queries could hold all connections that queries use, since one that
        has the turn may still wait for a connection."""
        self._is_busy = is_busy
        self._pause = pause
        self._begun = asyncio.Semaphore(begun_max)
        self._slice = asyncio.Lock()
        self._turns: dict[Key | UUID, asyncio.Lock] = {}
        self._asking: dict[Key | UUID, int] = {}

    @asynccontextmanager
    async def turn(self, place_id: UUID, kind: str) -> AsyncIterator[None]:
        """A turn for a query that has one part, for the block. Raises as `query` and its parts do."""
        async with self.query(place_id, kind) as part, part():
            yield

    @asynccontextmanager
    async def query(self, place_id: UUID, kind: str) -> AsyncIterator[Part]:
        """A turn for one query, for the block: `async with part():` around each of its parts. Raises Overloaded when
        WAITING_MAX already wait for that kind and place, and like a part, which raises it after WAIT_S without a turn,
        and at the request's deadline."""
        key = place_id, kind
        if self._asking.get(key, 0) > WAITING_MAX:
            raise Overloaded("Too many queries about this place are waiting. Try again shortly.")
        async with AsyncExitStack() as held:
            async with _in_time():
                await held.enter_async_context(self._one(key))
            yield lambda: self._part(place_id)

    @asynccontextmanager
    async def _part(self, place_id: UUID) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            async with _in_time():
                await held.enter_async_context(self._one(place_id))
                await held.enter_async_context(self._begun)
                turn = await held.enter_async_context(_Turn(self._slice))
            try:
                with giving_way(self._is_busy, hand_over=turn.hand_over):
                    yield
            finally:
                if self._is_busy():
                    await self._pause(min(max(turn.took_s, REST_S_MIN), REST_S_MAX))

    @asynccontextmanager
    async def _one(self, key: Key | UUID) -> AsyncIterator[None]:
        """One at a time for that key, for the block."""
        self._asking[key] = self._asking.get(key, 0) + 1
        try:
            async with self._turns.setdefault(key, asyncio.Lock()):
                yield
        finally:
            self._asking[key] -= 1
            if not self._asking[key]:
                del self._asking[key], self._turns[key]


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(part_s(WAIT_S)):
            yield
    except TimeoutError:
        raise Overloaded("Too many queries are waiting. Try again shortly.") from None


class _Turn:
    """The lock for the block, with breaks in which others have it."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self._has_it = False
        self._since = self._before_s = 0.0

    @property
    def took_s(self) -> float:
        """How long it has had the lock."""
        return self._before_s + (time.perf_counter() - self._since if self._has_it else 0.0)

    async def __aenter__(self) -> _Turn:
        self._has_it = await self._lock.acquire()
        self._since = time.perf_counter()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._has_it:
            self._lock.release()

    async def hand_over(self) -> None:
        """After TURN_S, lets those who wait now have it. Whoever is cancelled meanwhile does not have it any more."""
        if time.perf_counter() - self._since < TURN_S:
            return
        self._before_s = self.took_s
        self._has_it = False
        self._lock.release()
        await self.__aenter__()
