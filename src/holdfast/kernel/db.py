"""The database: `run` gives a verb its transaction."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
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
from holdfast.kernel.lanes import Lane
from holdfast.kernel.late import LateLocks, LockLate
from holdfast.kernel.telemetry import RETRIES, ROUND_TRIPS, TRANSACTION_SECONDS
from holdfast.kernel.tx import TRY_LOCKS, Tx, parse_locked

P = ParamSpec("P")
T = TypeVar("T")

APP_ROLE = "holdfast_app"
AVOIDED = ("seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin", "material")
"""What plans use that look at more rows than they are about."""
ATTEMPTS_MAX = 5
ACQUIRE_TIMEOUT_S = 1.0
RETRY_PAUSE_S = 0.01
ROLLBACK_TIMEOUT_S = 0.5
LOCKS_S = 5.0
"""How long a call without a deadline waits for its locks."""
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
        self._lanes = {lane: asyncio.Semaphore(most) for lane, most in (lanes or {}).items()}
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
        lanes: Mapping[Lane, int] | None = None,
        deadline_s: float = REQUEST_DEADLINE_S,
        acquire_timeout_s: float | None = None,
        bounds: Bounds | None = None,
    ) -> Database:
        """Opens a pool of up to `pool_max` connections to `url`; connections are made as they are needed.

        deadline_s: of a call that names none. `acquire_timeout_s` and `bounds` are in proportion unless given.
        lanes: how many connections each kind of work may use; all of them, when it is not given.
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
        return cls(pool, acquire_timeout_s=acquire_timeout_s, deadline_s=deadline_s, lanes=lanes)

    async def close(self) -> None:
        """Closes the pool, at the latest after 5 s."""
        self.late.close()
        try:
            await asyncio.wait_for(self.pool.close(), 5)
        except TimeoutError:
            self.pool.terminate()

    @asynccontextmanager
    async def connection(self, lane: Lane) -> AsyncIterator[PoolConnectionProxy]:
        """A connection of that lane, for the block. Raises TimeoutError after `acquire_timeout_s`."""
        gate = self._lanes.get(lane, nullcontext())
        async with AsyncExitStack() as held:
            async with asyncio.timeout(self.acquire_timeout_s):
                await held.enter_async_context(gate)
                conn = await self.pool.acquire()
            try:
                yield conn
            finally:
                await self.pool.release(conn)

    def is_read_only(self, lane: Lane) -> bool:
        """Whether PostgreSQL lets transactions of that lane write nothing."""
        return lane == "reads" and bool(self._lanes)

    async def _free(self, keys: list[int]) -> Sequence[int]:
        # Outside of a transaction: what it got it has given back when the statement ends.
        return await self.pool.fetchval(TRY_LOCKS, keys, timeout=self.acquire_timeout_s)

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
    locks: advisory lock keys (64 bit) that the verb needs, in the order in which all take them.
    some_locks: keys to wait for in the same way, and then to go on with those that were had: see `tx.locked`.
    try_locks: keys to take only if they are free at once; `tx.locked` says which were.
    lane: whose connections it uses; by default `changes` with `locks` and else `reads`.
    now: a virtual instant instead of the database's clock.
    own_clock: the verb's first statement sets `tx.now` itself, which saves a round trip.
    traceparent: of the request it is run for (W3C Trace Context); events carry it.
    deadline_s: all attempts together end after this, or when the request's time is over; then Overloaded.
    None: no limit but the server's, once the locks are held.

    A transaction waits for its locks for 100 ms (`take_locks` in schema.sql). Those it did not get by then are late: it
    gives all back that it has, waits without a connection until they are free, and begins anew.

    READ COMMITTED; run again up to ATTEMPTS_MAX times on 40001, 40P01 and 55P03. Raises Overloaded when
    no connection or lock is to be had in time or the database is gone: then no COMMIT was sent, or it did
    not succeed, and nothing was done nor ever will be. No deadline ends the wait for a COMMIT that was sent.
    When its answer is lost PostgreSQL is asked for the outcome; raises OutcomeUnknown when it can't say.
    """

    db: Database
    actor: Actor
    tenants: Iterable[UUID] | None = None
    locks: Sequence[int] = ()
    some_locks: Sequence[int] = ()
    try_locks: Sequence[int] = ()
    lane: Lane | None = None
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
            async with asyncio.timeout(left_s(self.deadline_s or max(LOCKS_S, self.db.deadline_s))) as limit:
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
        name, until, attempt, locks = verb.__name__, limit.when(), 1, frozenset(self.locks)
        while attempt <= ATTEMPTS_MAX:
            limit.reschedule(until)
            await self.db.late.wait(locks)
            try:
                return await self._once(limit, verb, *args, **kwargs)
            except LockLate as e:
                RETRIES.labels(name, type(e).__name__).inc()
                self.db.late.add(e.keys)
                locks |= e.keys
            except RETRIABLE as e:
                RETRIES.labels(name, type(e).__name__).inc()
                log.info("transaction_retried", verb=name, attempt=attempt, error=type(e).__name__)
                await asyncio.sleep(RETRY_PAUSE_S * attempt * random.uniform(0.5, 1.5))
                attempt += 1
        raise Overloaded("Too many others want the same thing at once. Try again with the same key.")

    async def _once(
        self,
        limit: asyncio.Timeout,
        verb: Callable[Concatenate[Tx, P], Awaitable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        lane = self.lane or ("changes" if self.locks else "reads")
        async with self.db.connection(lane) as conn:
            tx = Tx(conn, self.actor, self.now)
            tx.traceparent, tx.late = self.traceparent, self.db.late
            try:
                await tx.execute(self._begin(lane))
                if self.locks or not self.own_clock:
                    await self._read_clock(tx, writes=lane == "changes")
                if self.deadline_s is None:
                    limit.reschedule(None)
                value = await verb(tx, *args, **kwargs)
                if tx.events and self.db.before_commit is not None:
                    await self.db.before_commit(tx)
                limit.reschedule(None)
                if await self._commit(tx, conn, may_write=not self.db.is_read_only(lane)) != "COMMIT":
                    raise RuntimeError(f"{verb.__name__} went on after a statement had failed: rolled back")
            except BaseException as e:
                await _abandon(conn, e)
                raise
            finally:
                ROUND_TRIPS.inc(tx.round_trips)
                if self.some_locks and tx.locked is not None:
                    self.db.late.add(set(self.some_locks) - tx.locked)
        venue_ids = {each.venue_id for each in tx.events if each.venue_id is not None}
        if venue_ids:
            for listener in self.db.after_commit:
                listener(venue_ids)
        return value

    async def _commit(self, tx: Tx, conn: PoolConnectionProxy, *, may_write: bool) -> str:
        try:
            async with asyncio.timeout(COMMIT_S):
                return await tx.execute("COMMIT")
        except (TimeoutError, *UNREACHABLE) as error:
            log.warning("commit_unanswered", error=type(error).__name__)
            await _abandon(conn, error)  # so that it ends there, and another is to be had
            committed = await self.db.is_committed(tx.xid) if tx.xid else None if may_write else False
            if committed is None:
                raise OutcomeUnknown from error
            if not committed:
                raise Overloaded from error
            return "COMMIT"

    def _begin(self, lane: Lane) -> str:
        """One round trip for all of it. The values are UUIDs and integers made here, so quoting is safe."""
        tenants = self.actor.tenant_ids if self.tenants is None else tuple(self.tenants)
        listed = "*" if tenants is None else ",".join(str(UUID(int=t.int)) for t in tenants)
        begin = "BEGIN READ ONLY" if self.db.is_read_only(lane) else "BEGIN"
        sql = f"{begin}; SELECT set_config('holdfast.tenants', '{listed}', true)"
        for function, wanted in (
            ("take_locks", self.locks or self.some_locks),
            ("try_locks", self.try_locks),
        ):
            if wanted:
                keys = ",".join(f"{key:d}" for key in wanted)
                sql += f"; SELECT set_config('holdfast.locked', {function}('{{{keys}}}')::text, true)"
        return sql

    async def _read_clock(self, tx: Tx, *, writes: bool) -> None:
        # The transaction's id is drawn with the lock held, as by a first write.
        row = await tx.fetchrow(CLOCK_AND_XID if writes else CLOCK)
        assert row is not None
        tx.now = self.now or row[0]
        tx.locked = parse_locked(row[1])
        tx.xid = row[2]
        if self.locks and (late := set(self.locks) - (tx.locked or set())):
            raise LockLate(late)


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
