"""A simulated process of the service: connection pool, snapshots and writer, on the virtual clock. And the faults
injected into it, with their counts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from random import Random
from typing import Any, Final

import asyncpg

from holdfast.engine import Engine
from holdfast.kernel.actor import Actor
from holdfast.kernel.db.call import Call
from holdfast.kernel.db.database import Bounds, Database, lanes
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError, Overloaded
from holdfast.kernel.failure import stack_of
from holdfast.simulate.clock import Clock
from holdfast.simulate.record import Record

POOL_MAX: Final = 10
BOUNDS: Final = Bounds(statement_ms=20_000, lock_ms=5_000)
"""More generous than usual: the simulation is not meant to find a slow machine."""
KILLED_SHARE: Final = 0.01
"""Share of transactions whose connection the server terminates midway."""
ASKED_SHARE: Final = {"answer_lost": 0.04, "asked_twice": 0.04, "given_up": 0.03}
"""Share of requests whose answer is discarded, that are sent twice at once, or whose task is cancelled."""
MOMENT_S_MAX: Final = 0.012
"""A kill or cancellation happens within this time."""
PID = "SELECT pg_backend_pid()"
TERMINATE = "SELECT pg_terminate_backend($1)"


class Chaos:
    """Chooses and injects faults; none without `faults`. `counts`: by kind.

    Its choices depend on the order of events, so the same seed does not give the same faults.
    """

    def __init__(self, seed: int, *, faults: bool) -> None:
        self.random = Random(f"chaos {seed}")
        self.faults = faults
        self.counts: Counter[str] = Counter()
        self._killer: asyncpg.Connection | None = None
        self._kills: asyncio.Queue[int] = asyncio.Queue()
        self._killing: asyncio.Task[None] | None = None

    async def start(self, url: str) -> None:
        """Opens a separate connection for terminating others. It has the rights of the login role."""
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
        """Returns the fault for the next request, or None."""
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
        """Returns the verb, or sometimes one whose connection is terminated while it runs or commits."""
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


class OnClock(Database):
    """A database whose transactions use the virtual time, and may be killed."""

    clock: Clock
    chaos: Chaos
    record: Record
    is_killed = False

    def call(self, actor: Actor, **knobs: Any) -> Call:
        return ShakyCall(self, actor, **{"now": self.clock.seen(), "deadline_s": None, **knobs})


class ShakyCall(Call):
    """A call on an `OnClock`. It records unexpected errors itself, since callers may catch them and carry on."""

    async def run(self, verb: Callable[..., Awaitable[Any]], /, *args: Any, **kwargs: Any) -> Any:
        assert isinstance(self.db, OnClock)
        try:
            return await super().run(self.db.chaos.doomed(verb), *args, **kwargs)
        except HoldfastError:
            raise
        except (asyncpg.ExclusionViolationError, asyncpg.UniqueViolationError):
            self.db.record.objections += 1
            raise
        except Exception as error:
            if self.db.is_killed:  # asyncpg does not expect to lose its connection between two steps
                raise Overloaded("The process was killed.") from error
            self.db.record.found_wrong(f"{verb.__name__} failed: {stack_of(error)}")
            raise


@dataclass(slots=True)
class Process:
    """A simulated API process. It can be killed and replaced by another."""

    engine: Engine

    @classmethod
    async def start(cls, url: str, like: Engine, *, clock: Clock, chaos: Chaos, record: Record) -> Process:
        """`like`: the engine whose ports and reactions it uses."""
        db = await OnClock.connect(
            url, pool_max=POOL_MAX, lanes=lanes(POOL_MAX), acquire_timeout_s=10, bounds=BOUNDS
        )
        assert isinstance(db, OnClock)
        db.clock, db.chaos, db.record = clock, chaos, record
        return cls(like.over(db))

    async def stop(self) -> None:
        """Shuts down in order."""
        await self.engine.stop()
        await self.engine.db.close()

    async def kill(self) -> None:
        """Stops at once, whatever is running: the server decides how open transactions end."""
        assert isinstance(self.engine.db, OnClock)
        self.engine.db.is_killed = True
        self.engine.db.late.close()
        self.engine.db.pool.terminate()
        await self.engine.stop()
