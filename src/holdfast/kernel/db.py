"""The database: `run` gives a verb its transaction."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from holdfast.kernel.actor import Actor
from holdfast.kernel.deadline import REQUEST_DEADLINE_S, left_s
from holdfast.kernel.errors import OutcomeUnknown, Overloaded
from holdfast.kernel.faults import RETRIABLE, UNABLE, UNREACHABLE
from holdfast.kernel.telemetry import RETRIES, ROUND_TRIPS, TRANSACTION_SECONDS
from holdfast.kernel.tx import Tx, parse_locked

P = ParamSpec("P")
T = TypeVar("T")

APP_ROLE = "holdfast_app"
AVOIDED = ("seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin", "material")
"""What plans use that look at more rows than they are about."""
ATTEMPTS_MAX = 5
ACQUIRE_TIMEOUT_S = 1.0
RETRY_PAUSE_S = 0.01
ROLLBACK_TIMEOUT_S = 0.5
COMMIT_S = 2.0
"""How long to wait for the answer to a COMMIT."""
SETTLE_S = 3.0
"""How long to ask afterwards, by another connection, what became of it."""
SETTLE_PAUSE_S = 0.05

CLOCK = "SELECT clock_timestamp(), current_setting('holdfast.locked', true), NULL"
CLOCK_AND_XID = CLOCK.replace("NULL", "pg_current_xact_id()::text")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits the server keeps on every transaction, so that a forgotten one can't hold others up (ms)."""

    statement_ms: int = 5_000
    lock_ms: int = 1_000
    idle_in_transaction_ms: int = 10_000

    @classmethod
    def within(cls, deadline_s: float) -> Bounds:
        """The usual limits in proportion to the time of a request; none but a lock's gets shorter."""
        usual, times = cls(), deadline_s / REQUEST_DEADLINE_S
        return cls(
            statement_ms=round(usual.statement_ms * max(times, 1)),
            lock_ms=round(usual.lock_ms * times),
            idle_in_transaction_ms=round(usual.idle_in_transaction_ms * max(times, 1)),
        )


class Database:
    """A pool of connections and the one way to use them: `run`."""

    def __init__(self, pool: asyncpg.Pool, *, acquire_timeout_s: float, deadline_s: float) -> None:
        self.pool = pool
        self.acquire_timeout_s = acquire_timeout_s
        self.before_commit: Callable[[Tx], Awaitable[None]] | None = None
        """Called with each transaction that has emitted events, before it commits: what must happen with them does."""
        self.deadline_s = deadline_s
        self.after_commit: list[Callable[[set[UUID]], None]] = []
        """Called with the venues of the events that a transaction of this process emitted, as soon as it is
        committed; must neither wait nor raise."""

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        pool_max: int = 10,
        deadline_s: float = REQUEST_DEADLINE_S,
        acquire_timeout_s: float | None = None,
        bounds: Bounds | None = None,
    ) -> Database:
        """Opens a pool of up to `pool_max` connections to `url`; connections are made as they are needed.

        deadline_s: of a call that names none. `acquire_timeout_s` and `bounds` are in proportion unless given.
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
            # Nothing here sets session state, so there is nothing to reset: saves a round trip a transaction.
            reset=_nothing,
            server_settings={
                "role": APP_ROLE,
                "application_name": "holdfast",
                "timezone": "UTC",
                "jit": "off",
                # All statements here are prepared and find their rows by keys: planning each anew for its values
                # took the database longer than carrying it out.
                "plan_cache_mode": "force_generic_plan",
                # A plan that is kept may be older than the rows: made for an empty table, it would read or sort
                # all of a full one until PostgreSQL next takes stock. These make it go by an index, in its order.
                **dict.fromkeys((f"enable_{each}" for each in AVOIDED), "off"),
                "statement_timeout": str(limits.statement_ms),
                "lock_timeout": str(limits.lock_ms),
                "idle_in_transaction_session_timeout": str(limits.idle_in_transaction_ms),
            },
        )
        return cls(pool, acquire_timeout_s=acquire_timeout_s, deadline_s=deadline_s)

    async def close(self) -> None:
        """Closes the pool, at the latest after 5 s."""
        try:
            await asyncio.wait_for(self.pool.close(), 5)
        except TimeoutError:
            self.pool.terminate()

    async def is_committed(self, xid: str) -> bool | None:
        """Whether that transaction, whose connection is given up, was committed. Asks until it has ended, for
        SETTLE_S at most; None when that does not tell."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while not self.pool.is_closing():
                    with suppress(asyncpg.PostgresError, *UNREACHABLE):
                        status = await self.pool.fetchval("SELECT pg_xact_status($1::text::xid8)", xid)
                        if status != "in progress":
                            return None if status is None else status == "committed"
                    await asyncio.sleep(SETTLE_PAUSE_S)
        return None

    async def run(
        self,
        actor: Actor,
        verb: Callable[Concatenate[Tx, P], Awaitable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The verb's value, after its transaction was committed. See `Call` for the knobs."""
        return await self.call(actor).run(verb, *args, **kwargs)

    def call(self, actor: Actor, **knobs: Any) -> Call:
        """`run` with other than the usual tenants, locks, clock or deadline."""
        return Call(self, actor, **{"deadline_s": self.deadline_s, **knobs})


@dataclass(slots=True)
class Call:
    """How one verb is run.

    tenants: whose rows it may see; the actor's when None.
    locks: advisory lock keys (64 bit) to wait for, in this order, before the verb starts.
    try_locks: keys to take only if they are free at once; `tx.locked` says which were.
    now: a virtual instant instead of the database's clock.
    own_clock: the verb's first statement sets `tx.now` itself, which saves a round trip.
    traceparent: of the request it is run for (W3C Trace Context); events carry it.
    deadline_s: all attempts together end after this, or when the request's time is over; then Overloaded.
    None: no limit but the server's.

    READ COMMITTED; run again up to ATTEMPTS_MAX times on 40001, 40P01 and 55P03. Raises Overloaded when
    no connection or lock is to be had in time or the database is gone: then no COMMIT was sent, or it did
    not succeed, and nothing was done nor ever will be. No deadline ends the wait for a COMMIT that was sent.
    When its answer is lost PostgreSQL is asked for the outcome; raises OutcomeUnknown when it can't say.
    """

    db: Database
    actor: Actor
    tenants: Iterable[UUID] | None = None
    locks: Sequence[int] = ()
    try_locks: Sequence[int] = ()
    now: datetime | None = None
    own_clock: bool = False
    deadline_s: float | None = REQUEST_DEADLINE_S
    traceparent: str | None = None

    async def run(
        self, verb: Callable[Concatenate[Tx, P], Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        started = time.perf_counter()
        name = verb.__name__
        try:
            async with asyncio.timeout(None if self.deadline_s is None else left_s(self.deadline_s)) as limit:
                return await self._attempts(limit, verb, *args, **kwargs)
        except TimeoutError:
            raise Overloaded("The database did not answer in time. Try again with the same key.") from None
        except UNREACHABLE as e:
            log.warning("database_unreachable", verb=name, error=type(e).__name__)
            raise Overloaded("The database can't be reached. Try again with the same key.") from e
        except asyncpg.PostgresError as e:
            sqlstate = str(getattr(e, "sqlstate", None))
            if not sqlstate.startswith(UNABLE):
                raise
            log.error("database_unable", verb=name, error=type(e).__name__, sqlstate=sqlstate)
            raise Overloaded("The database can't do this right now. Try again with the same key.") from e
        finally:
            TRANSACTION_SECONDS.labels(name).observe(time.perf_counter() - started)

    async def _attempts(
        self,
        limit: asyncio.Timeout,
        verb: Callable[Concatenate[Tx, P], Awaitable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        name, until = verb.__name__, limit.when()
        for attempt in range(1, ATTEMPTS_MAX + 1):
            limit.reschedule(until)
            try:
                return await self._once(limit, verb, *args, **kwargs)
            except RETRIABLE as e:
                RETRIES.labels(name, type(e).__name__).inc()
                log.info("transaction_retried", verb=name, attempt=attempt, error=type(e).__name__)
                await asyncio.sleep(RETRY_PAUSE_S * attempt * random.uniform(0.5, 1.5))
        raise Overloaded("Too many others want the same thing at once. Try again with the same key.")

    async def _once(
        self,
        limit: asyncio.Timeout,
        verb: Callable[Concatenate[Tx, P], Awaitable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        conn = await self.db.pool.acquire(timeout=self.db.acquire_timeout_s)
        tx = Tx(conn, self.actor, self.now)
        tx.traceparent = self.traceparent
        try:
            await tx.execute(self._begin())
            if not self.own_clock:
                await self._read_clock(tx)
            value = await verb(tx, *args, **kwargs)
            if tx.events and self.db.before_commit is not None:
                await self.db.before_commit(tx)
            limit.reschedule(None)
            if await self._commit(tx, conn) != "COMMIT":
                raise RuntimeError(f"{verb.__name__} went on after a statement had failed: rolled back")
        except BaseException as e:
            await _abandon(conn, e)
            raise
        finally:
            ROUND_TRIPS.inc(tx.round_trips)
            await self.db.pool.release(conn)
        venue_ids = {each.venue_id for each in tx.events if each.venue_id is not None}
        if venue_ids:
            for listener in self.db.after_commit:
                listener(venue_ids)
        return value

    async def _commit(self, tx: Tx, conn: PoolConnectionProxy) -> str:
        try:
            async with asyncio.timeout(COMMIT_S):
                return await tx.execute("COMMIT")
        except (TimeoutError, *UNREACHABLE) as error:
            log.warning("commit_unanswered", error=type(error).__name__)
            await _abandon(conn, error)  # so that it ends there, and another is to be had
            committed = None if tx.xid is None else await self.db.is_committed(tx.xid)
            if committed is None:
                raise OutcomeUnknown from error
            if not committed:
                raise Overloaded from error
            return "COMMIT"

    def _begin(self) -> str:
        """One round trip for all of it. The values are UUIDs and integers made here, so quoting is safe."""
        tenants = self.actor.tenant_ids if self.tenants is None else tuple(self.tenants)
        listed = "*" if tenants is None else ",".join(str(UUID(int=t.int)) for t in tenants)
        sql = f"BEGIN; SELECT set_config('holdfast.tenants', '{listed}', true)"
        for key in self.locks:
            sql += f"; SELECT pg_advisory_xact_lock({key:d})"
        if self.try_locks:
            keys = ",".join(f"{key:d}" for key in self.try_locks)
            sql += f"; SELECT set_config('holdfast.locked', try_locks('{{{keys}}}')::text, true)"
        return sql

    async def _read_clock(self, tx: Tx) -> None:
        # Whoever takes a lock is going to write. The id is drawn with the lock held, as by a first write.
        row = await tx.fetchrow(CLOCK_AND_XID if self.locks else CLOCK)
        assert row is not None
        tx.now = self.now or row[0]
        tx.locked = parse_locked(row[1])
        tx.xid = row[2]


async def _abandon(conn: PoolConnectionProxy, error: BaseException) -> None:
    """Rolls back; a connection that may be in the middle of something is thrown away instead."""
    try:
        if conn.is_closed():
            return
    except asyncpg.InterfaceError:
        return  # It broke, and the pool has thrown it away.
    rolled_back = False
    try:
        if isinstance(error, Exception) and not isinstance(error, TimeoutError):
            with suppress(TimeoutError, asyncpg.PostgresError, *UNREACHABLE):
                await conn.execute("ROLLBACK", timeout=ROLLBACK_TIMEOUT_S)
                rolled_back = True
    finally:
        if not rolled_back:
            conn.terminate()


async def _nothing(_conn: Any) -> None:
    return None
