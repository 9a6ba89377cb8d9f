"""Late locks: advisory locks that are held for long. Waiting for them uses no connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import Context

import asyncpg

from holdfast.kernel.db.faults import UNREACHABLE

LOOK_S = 0.05


class LockLate(Exception):
    """A transaction did not get an advisory lock in time. `keys`: the missing locks."""

    def __init__(self, keys: Iterable[int]) -> None:
        self.keys = frozenset(keys)
        super().__init__(f"{len(self.keys)} locks are held by others")


class LateLocks:
    """The advisory locks that transactions of this process did not get in time.

    `free`: returns which of the given keys are free now. While any lock is late, one task asks it every LOOK_S about
    all of them at once. So it takes one connection, however many locks are late and however many callers wait.
    """

    def __init__(self, free: Callable[[list[int]], Awaitable[Sequence[int]]]) -> None:
        self._free = free
        self._late: dict[int, asyncio.Future[None]] = {}
        self._looking: asyncio.Task[None] | None = None

    def __contains__(self, key: int) -> bool:
        return key in self._late

    def add(self, keys: Iterable[int]) -> None:
        """Marks these locks as late."""
        loop = asyncio.get_running_loop()
        for key in keys:
            self._late.setdefault(key, loop.create_future())
        if self._late and (self._looking is None or self._looking.done()):
            # In a fresh context: this task must not inherit the deadline of the request that met the lock.
            self._looking = loop.create_task(self._look(), context=Context())

    async def wait(self, keys: Iterable[int]) -> None:
        """Waits until none of these locks is late. The caller sets the timeout."""
        for key in keys:
            while (late := self._late.get(key)) is not None:
                await asyncio.wait([late])

    def when_free(self, key: int, told: Callable[[], None]) -> None:
        """Calls `told` soon after the late lock is free."""
        self._late[key].add_done_callback(lambda _: told())

    def close(self) -> None:
        """Stops polling. Waiters are not notified any more."""
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> None:
        while self._late:
            await asyncio.sleep(LOOK_S)
            try:
                found = await self._free([*self._late])
            except (TimeoutError, asyncpg.PostgresError, *UNREACHABLE):
                continue  # nothing is free while the database is unreachable
            for key in found:
                self._late.pop(key).set_result(None)
