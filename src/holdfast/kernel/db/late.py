"""Locks that somebody holds for long: whoever wants one waits here, and not on a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import Context

import asyncpg

from holdfast.kernel.db.faults import UNREACHABLE

LOOK_S = 0.05


class LockLate(Exception):
    """An advisory lock was not to be had in the time a transaction waits for one. `keys`: which are."""

    def __init__(self, keys: Iterable[int]) -> None:
        self.keys = frozenset(keys)
        super().__init__(f"{len(self.keys)} locks are held by others")


class LateLocks:
    """The advisory locks that a transaction of this process could not have in time.

    `free`: says which of these keys are free at the moment. It is asked every LOOK_S, for all of them in one go, while
    there are any: however many locks are stuck, and however many wait for them, that is one connection.
    """

    def __init__(self, free: Callable[[list[int]], Awaitable[Sequence[int]]]) -> None:
        self._free = free
        self._late: dict[int, asyncio.Future[None]] = {}
        self._looking: asyncio.Task[None] | None = None

    def __contains__(self, key: int) -> bool:
        return key in self._late

    def add(self, keys: Iterable[int]) -> None:
        """These could not be had."""
        loop = asyncio.get_running_loop()
        for key in keys:
            self._late.setdefault(key, loop.create_future())
        if self._late and (self._looking is None or self._looking.done()):
            # In a context of its own: the deadline of the request that met the lock is not this task's.
            self._looking = loop.create_task(self._look(), context=Context())

    async def wait(self, keys: Iterable[int]) -> None:
        """Returns when none of these is late. The caller bounds the wait."""
        for key in keys:
            while (late := self._late.get(key)) is not None:
                await asyncio.wait([late])

    def when_free(self, key: int, told: Callable[[], None]) -> None:
        """Calls `told` soon after the late lock was seen free."""
        self._late[key].add_done_callback(lambda _: told())

    def close(self) -> None:
        """Nobody is told any more."""
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> None:
        while self._late:
            await asyncio.sleep(LOOK_S)
            try:
                found = await self._free([*self._late])
            except (TimeoutError, asyncpg.PostgresError, *UNREACHABLE):
                continue  # while the database is away nothing is free
            for key in found:
                self._late.pop(key).set_result(None)
