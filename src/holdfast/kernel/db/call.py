"""One call: runs a verb in a transaction and retries it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar, cast
from uuid import UUID

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from holdfast.kernel.actor import Actor
from holdfast.kernel.db.faults import RETRIABLE, UNABLE, UNREACHABLE
from holdfast.kernel.db.tx import REQUEST_DEADLINE_S, LockLate, Tx, left_s, parse_locked
from holdfast.kernel.errors import OutcomeUnknown, Overloaded
from holdfast.kernel.telemetry import RETRIES, ROUND_TRIPS, TRANSACTION_SECONDS

if TYPE_CHECKING:
    from holdfast.kernel.db.database import Database

P = ParamSpec("P")
T = TypeVar("T")
Lane = Literal["sets", "changes", "reads", "background"]
"""`sets`: creating bookings. `changes`: all other writes. `reads`: read-only, enforced by PostgreSQL. `background`: the
process's own few tasks, which use what the other lanes leave."""
ATTEMPTS_MAX = 5
RETRY_PAUSE_S = 0.01
ROLLBACK_TIMEOUT_S = 0.5
LOCKS_S = 5.0
"""How long a call without a deadline waits for its locks."""
COMMIT_S = 2.0
"""How long to wait for the answer to a COMMIT; longer in proportion where the request deadline is longer."""
CLOCK = "SELECT clock_timestamp(), current_setting('holdfast.locked', true), NULL"
CLOCK_AND_XID = CLOCK.replace("NULL", "pg_current_xact_id()::text")
log = structlog.get_logger()


@dataclass(slots=True)
class Call:
    """How to run one verb.

    tenants: whose rows the verb may see; None: the actor's.
    locks: advisory lock keys (64 bit) that the verb needs, in the order that all transactions take them.
    some_locks: keys to wait for in the same way, but to continue without those not acquired: see `tx.locked`.
    try_locks: keys to take only if they are free at once; see `tx.locked`.
    lane: whose connections to use; the default is `changes` with `locks`, otherwise `reads`.
    now: a virtual time instead of the database's clock.
    own_clock: the verb's first statement sets `tx.now` itself, which saves a round trip.
    traceparent: of the request that caused the call (W3C Trace Context); events carry it.
    deadline_s: for all attempts together, cut short by the request's own deadline; then Overloaded. None: once the
    locks are held, only the server's timeouts apply.

    A transaction waits up to 100 ms for its locks (`take_locks` in schema.sql). If it does not get them all, it rolls
    back, waits for the missing ones (late locks) without holding a connection, and starts over.

    READ COMMITTED, up to ATTEMPTS_MAX attempts on SQLSTATE 40001, 40P01 and 55P03. Raises Overloaded when it gets no
    connection or lock in time or the database is gone: then no COMMIT was sent, or it did not succeed, and nothing
    was or will be done. Once COMMIT is sent, no deadline cuts the wait for its outcome short. If its answer is lost, it
    asks PostgreSQL for the outcome, and raises OutcomeUnknown when PostgreSQL can't say.
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
        raise Overloaded("Too many concurrent requests for the same thing. Try again with the same key.")

    async def _once(
        self,
        limit: asyncio.Timeout,
        verb: Callable[Concatenate[Tx, P], Awaitable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        lane = self.lane or ("changes" if self.locks else "reads")
        async with self._connection(lane) as conn:
            tx = Tx(conn, self.actor, self.now, self.db.ports)
            tx.traceparent, tx.late = self.traceparent, self.db.late
            try:
                await tx.execute(self._begin(lane))
                if self.locks or not self.own_clock:
                    await self._read_clock(tx, writes=lane == "changes")
                if self.deadline_s is None:
                    limit.reschedule(None)
                value = await verb(tx, *args, **kwargs)
                if self._is_reacted_to(tx):
                    await self.db.before_commit(tx)
                limit.reschedule(None)
                if await self._commit(tx, conn, may_write=not self._is_read_only(lane)) != "COMMIT":
                    raise RuntimeError(
                        f"{verb.__name__} continued after a statement failed; the transaction was rolled back"
                    )
            except BaseException as e:
                await _abandon(conn, e)
                raise
            finally:
                ROUND_TRIPS.inc(tx.round_trips)
                if self.some_locks and tx.locked is not None:
                    self.db.late.add(set(self.some_locks) - tx.locked)
        if tx.events:
            self.db.committed.set()
            for listener in self.db.after_commit:
                listener(tx.events)
        return value

    @asynccontextmanager
    async def _connection(self, lane: Lane) -> AsyncIterator[PoolConnectionProxy]:
        """A connection from the lane, for the block. Raises TimeoutError after `acquire_timeout_s`."""
        async with AsyncExitStack() as held:
            async with asyncio.timeout(self.db.acquire_timeout_s):
                await held.enter_async_context(self.db.lanes.get(lane, nullcontext()))
                conn = await self.db.pool.acquire()
            try:
                yield conn
            finally:
                await self.db.pool.release(conn)

    def _is_reacted_to(self, tx: Tx) -> bool:
        types = self.db.reacts_to
        return any(types is None or event.event_type in types for event in tx.events)

    def _is_read_only(self, lane: Lane) -> bool:
        return lane == "reads" and bool(self.db.lanes)

    async def _commit(self, tx: Tx, conn: PoolConnectionProxy, *, may_write: bool) -> str:
        # Not asyncio.timeout: it would ignore an answer that arrived while this process was blocked.
        committing = asyncio.ensure_future(tx.execute("COMMIT"))
        try:
            usual_times = max(self.db.deadline_s / REQUEST_DEADLINE_S, 1)
            await asyncio.wait([committing], timeout=COMMIT_S * usual_times)
            if not committing.done():
                committing.cancel()
                raise TimeoutError
            return committing.result()
        except (TimeoutError, *UNREACHABLE) as error:
            log.warning("commit_unanswered", error=type(error).__name__)
            await _abandon(conn, error)  # ends the transaction on the server and frees the pool's slot
            committed = await self.db.is_committed(tx) if tx.xid else None if may_write else False
            if committed is None:
                raise OutcomeUnknown from error
            if not committed:
                raise Overloaded from error
            return "COMMIT"
        finally:
            committing.cancel()

    def _begin(self, lane: Lane) -> str:
        """Everything in one round trip. The values are UUIDs and integers made here, so no quoting is needed."""
        tenants = self.actor.tenant_ids if self.tenants is None else tuple(self.tenants)
        listed = "*" if tenants is None else ",".join(str(UUID(int=t.int)) for t in tenants)
        begin = "BEGIN READ ONLY" if self._is_read_only(lane) else "BEGIN"
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
        # The transaction id is assigned while the lock is held, as a first write would do.
        row = await tx.fetchrow(CLOCK_AND_XID if writes else CLOCK)
        assert row is not None
        tx.now = self.now or row[0]
        tx.locked = parse_locked(row[1])
        tx.xid = row[2]
        if self.locks and (late := set(self.locks) - (tx.locked or set())):
            raise LockLate(late)


class VerbRunner:
    """Runs verbs. `deadline_s`: of calls that set none."""

    deadline_s: float

    def call(self, actor: Actor, **knobs: Any) -> Call:
        """Returns a `Call` with other tenants, locks, clock or deadline than the defaults."""
        return Call(cast("Database", self), actor, **{"deadline_s": self.deadline_s, **knobs})

    async def run(
        self,
        actor: Actor,
        verb: Callable[Concatenate[Tx, P], Awaitable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Runs the verb and returns its value after the commit. See `Call` for the options."""
        return await self.call(actor).run(verb, *args, **kwargs)


async def keep_session(_conn: object) -> None:
    """For the pool, when a connection is returned: nothing here sets session state, so there is nothing to reset. Saves
    a round trip per transaction."""


async def _abandon(conn: PoolConnectionProxy, error: BaseException) -> None:
    """Rolls back, or closes a connection that may be in the middle of a statement."""
    try:
        if conn.is_closed():
            return
    except asyncpg.InterfaceError:
        return  # It broke, and the pool has discarded it.
    rolled_back = False
    try:
        if isinstance(error, Exception) and not isinstance(error, TimeoutError):
            with suppress(TimeoutError, asyncpg.PostgresError, *UNREACHABLE):
                await conn.execute("ROLLBACK", timeout=ROLLBACK_TIMEOUT_S)
                rolled_back = True
    finally:
        if not rolled_back:
            conn.terminate()
