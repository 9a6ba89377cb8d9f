"""What goes wrong on purpose, and how often it did."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from random import Random
from typing import Any, Final

import asyncpg

from holdfast.kernel.tx import Tx

KILLED_SHARE: Final = 0.01
"""Transactions whose connection is ended by the server in the middle of it."""
ASKED_SHARE: Final = {"answer_lost": 0.04, "asked_twice": 0.04, "given_up": 0.03}
"""Requests whose answer is thrown away, that come twice at once, or whose task is cancelled."""
MOMENT_S_MAX: Final = 0.012
"""A kill or a cancellation comes within this time."""
PID = "SELECT pg_backend_pid()"
TERMINATE = "SELECT pg_terminate_backend($1)"


class Chaos:
    """Draws faults and does them; without `faults` there are none. `counts`: of each kind.

    What it draws depends on the order in which things happen, so only its seed is the same twice.
    """

    def __init__(self, seed: int, *, faults: bool) -> None:
        self.random = Random(f"chaos {seed}")
        self.faults = faults
        self.counts: Counter[str] = Counter()
        self._killer: asyncpg.Connection | None = None
        self._kills: asyncio.Queue[int] = asyncio.Queue()
        self._killing: asyncio.Task[None] | None = None

    async def start(self, url: str) -> None:
        """Opens a connection of its own, to end others with. It has the rights of the role that logs in."""
        if self.faults:
            self._killer = await asyncpg.connect(url)
            self._killing = asyncio.create_task(self._kill())

    async def stop(self) -> None:
        if self._killing is not None:
            self._killing.cancel()
            with suppress(asyncio.CancelledError):
                await self._killing
        if self._killer is not None:
            await self._killer.close()

    def request(self) -> str | None:
        """What happens to the next request, if anything."""
        if not self.faults:
            return None
        at = self.random.random()
        for kind, share in ASKED_SHARE.items():
            at -= share
            if at < 0:
                return self.counted(kind)
        return None

    def counted(self, kind: str) -> str:
        self.counts[kind] += 1
        return kind

    def moment_s(self) -> float:
        return self.random.uniform(0, MOMENT_S_MAX)

    def doomed(self, verb: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """The verb, or now and then one whose connection breaks while it runs, or as it commits."""
        if not self.faults or self.random.random() >= KILLED_SHARE:
            return verb

        @wraps(verb)
        async def doomed(tx: Tx, *args: Any, **kwargs: Any) -> Any:
            pid = await tx.fetchval(PID)
            asyncio.get_running_loop().call_later(self.moment_s(), self._kills.put_nowait, pid)
            return await verb(tx, *args, **kwargs)

        self.counted("connection_killed")
        return doomed

    async def _kill(self) -> None:
        assert self._killer is not None
        while True:
            await self._killer.execute(TERMINATE, await self._kills.get())
