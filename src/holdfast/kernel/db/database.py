"""The database: a connection pool, and `run`, which runs a verb in a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import asyncpg

from holdfast.kernel.db.call import Lane, VerbRunner, keep_session
from holdfast.kernel.db.faults import UNREACHABLE
from holdfast.kernel.db.tx import REQUEST_DEADLINE_S, TRY_LOCKS, LateLocks, Tx

P = ParamSpec("P")
T = TypeVar("T")

APP_ROLE = "holdfast_app"
AVOIDED = ("seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin", "material")
"""Plan nodes that read more rows than the query returns."""
ACQUIRE_TIMEOUT_S = 1.0
SETTLE_S = 3.0
"""How long to ask, on another connection, for the outcome of a COMMIT whose answer was lost."""
SETTLE_PAUSE_S = 0.05
STATUSES = {"committed": True, "aborted": False}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Timeouts that PostgreSQL enforces on every transaction, so that a forgotten one can't block others (ms)."""

    statement_ms: int = 5_000
    lock_ms: int = 1_000
    idle_in_transaction_ms: int = 10_000

    @classmethod
    def within(cls, deadline_s: float) -> Bounds:
        """Scales the usual limits with the request deadline; only `lock_ms` can get shorter than usual."""
        usual, times = cls(), deadline_s / REQUEST_DEADLINE_S
        return cls(
            statement_ms=round(usual.statement_ms * max(times, 1)),
            lock_ms=round(usual.lock_ms * times),
            idle_in_transaction_ms=round(usual.idle_in_transaction_ms * max(times, 1)),
        )


class Database(VerbRunner):
    """A connection pool and the one way to use it: `run`."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        acquire_timeout_s: float,
        deadline_s: float,
        lanes: Mapping[Lane, int] | None = None,
    ) -> None:
        self.pool = pool
        self.acquire_timeout_s = acquire_timeout_s
        self.late = LateLocks(self._free)
        self.lanes = {lane: asyncio.Semaphore(most) for lane, most in (lanes or {}).items()}
        self._reads_max = (lanes or {}).get("reads")
        self.deadline_s = deadline_s
        self.ports: Any = None
        """`Tx.ports` of every transaction; the engine sets it."""
        self.before_commit: Callable[[Tx], Awaitable[None]] = _refuse_events
        """Called before commit with each transaction that emitted events of these types, to run reactions. The engine
        sets it."""
        self.reacts_to: frozenset[str] | None = None
        """The types of events that have reactions; None: all."""
        self.is_written: Callable[[Tx, Any], Awaitable[bool]] = _refuse_events
        """Returns whether an event was written. The engine sets it."""
        self.committed = asyncio.Event()
        """Set by each commit of this process that emitted events. Whoever waits for them clears it."""
        self.after_commit: list[Callable[[Sequence[Any]], None]] = []
        """Called with the events of a transaction of this process right after its commit; must not block or raise."""

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        pool_max: int = 10,
        lanes: Mapping[Lane, int] | None = None,
        deadline_s: float = REQUEST_DEADLINE_S,
        acquire_timeout_s: float | None = None,
        bounds: Bounds | None = None,
    ) -> Database:
        """Opens a pool of up to `pool_max` connections to `url`; connections are opened on demand.

        deadline_s: for calls that don't set one; `acquire_timeout_s` and `bounds` scale with it unless given.
        lanes: the number of connections each kind of work may use; without it, each may use all of them.
        """
        limits = bounds or Bounds.within(deadline_s)
        acquire_timeout_s = acquire_timeout_s or ACQUIRE_TIMEOUT_S * deadline_s / REQUEST_DEADLINE_S
        pool = await asyncpg.create_pool(
            url,
            min_size=0,
            max_size=pool_max,
            max_inactive_connection_lifetime=300,
            statement_cache_size=500,
            timeout=acquire_timeout_s,
            reset=keep_session,
            server_settings={
                "role": APP_ROLE,
                "application_name": "holdfast",
                "timezone": "UTC",
                "jit": "off",
                # All statements are prepared and look rows up by key: planning each for its values took the database
                # longer than executing it.
                "plan_cache_mode": "force_generic_plan",
                # A cached plan may be stale: one made for an empty table would seq-scan or sort a full one until
                # PostgreSQL next analyses it. These settings force an index scan, in index order.
                **dict.fromkeys((f"enable_{each}" for each in AVOIDED), "off"),
                "statement_timeout": str(limits.statement_ms),
                "lock_timeout": str(limits.lock_ms),
                "idle_in_transaction_session_timeout": str(limits.idle_in_transaction_ms),
            },
        )
        return cls(pool, acquire_timeout_s=acquire_timeout_s, deadline_s=deadline_s, lanes=lanes)

    @property
    def reads_max(self) -> int:
        """The number of connections that reads may use."""
        return self._reads_max or self.pool.get_max_size()

    async def close(self) -> None:
        """Closes the pool; terminates connections that are still open after 5 s."""
        self.late.close()
        try:
            await asyncio.wait_for(self.pool.close(), 5)
        except TimeoutError:
            self.pool.terminate()

    async def _free(self, keys: list[int]) -> Sequence[int]:
        # Outside a transaction, so the locks it took are released when the statement ends.
        return await self.pool.fetchval(TRY_LOCKS, keys, timeout=self.acquire_timeout_s)

    async def is_committed(self, tx: Tx) -> bool | None:
        """Returns whether the transaction, whose connection is lost, was committed; None if that can't be determined.

        Polls until the transaction has ended, for SETTLE_S at most. A server that crashed may reuse the id of a
        transaction it lost; so for a transaction with events, only the presence of its events counts as proof.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while not self.pool.is_closing():
                    with suppress(asyncpg.PostgresError, *UNREACHABLE):
                        status = await self._status(tx)
                        if status != "in progress":
                            return await self._is_written(tx) if tx.events else STATUSES.get(status or "")
                    await asyncio.sleep(SETTLE_PAUSE_S)
        return None

    async def _status(self, tx: Tx) -> str | None:
        try:
            return await self.pool.fetchval("SELECT pg_xact_status($1::text::xid8)", tx.xid)
        except asyncpg.InvalidParameterValueError:
            return "aborted"  # The id is "in the future": it was assigned before a crash, and lost in it.

    async def _is_written(self, tx: Tx) -> bool:
        async with self.pool.acquire() as conn, conn.transaction():
            event = tx.events[0]
            await conn.execute("SELECT set_config('holdfast.tenants', $1, true)", str(event.tenant_id))
            return await self.is_written(Tx(conn, tx.actor, None, self.ports), event)


async def _refuse_events(*_: Any) -> Any:
    raise RuntimeError(
        "This verb emits events, but this database has no engine to handle them: run it through an Engine."
    )


def lanes(pool_max: int) -> dict[Lane, int]:
    """Returns the number of connections for each lane, at least one. Of 10: 2 for sets, 3 for changes, 4 for reads,
    and 1 is left over. With fewer than 4 the lanes share."""
    return {
        "sets": max(1, pool_max // 5),
        "changes": max(1, pool_max * 3 // 10),
        "reads": max(1, pool_max * 2 // 5),
    }
