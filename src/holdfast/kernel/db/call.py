"""One call: how a verb is run in a transaction, and run again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from holdfast.kernel.actor import Actor
from holdfast.kernel.db.deadline import REQUEST_DEADLINE_S, left_s
from holdfast.kernel.db.faults import RETRIABLE, UNABLE, UNREACHABLE
from holdfast.kernel.db.lanes import Lane
from holdfast.kernel.db.late import LockLate
from holdfast.kernel.db.tx import Tx, parse_locked
from holdfast.kernel.errors import OutcomeUnknown, Overloaded
from holdfast.kernel.telemetry import RETRIES, ROUND_TRIPS, TRANSACTION_SECONDS

if TYPE_CHECKING:
    from holdfast.kernel.db.database import Database

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS_MAX = 5
RETRY_PAUSE_S = 0.01
ROLLBACK_TIMEOUT_S = 0.5
LOCKS_S = 5.0
"""How long a call without a deadline waits for its locks."""
COMMIT_S = 2.0
"""How long to wait for the answer to a COMMIT; in proportion longer where requests have more time."""

CLOCK = "SELECT clock_timestamp(), current_setting('holdfast.locked', true), NULL"
CLOCK_AND_XID = CLOCK.replace("NULL", "pg_current_xact_id()::text")

log = structlog.get_logger()


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
            tx = Tx(conn, self.actor, self.now, self.db.ports)
            tx.traceparent, tx.late = self.traceparent, self.db.late
            try:
                await tx.execute(self._begin(lane))
                if self.locks or not self.own_clock:
                    await self._read_clock(tx, writes=lane == "changes")
                if self.deadline_s is None:
                    limit.reschedule(None)
                value = await verb(tx, *args, **kwargs)
                if tx.events:
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
        if tx.events:
            for listener in self.db.after_commit:
                listener(tx.events)
        return value

    async def _commit(self, tx: Tx, conn: PoolConnectionProxy, *, may_write: bool) -> str:
        # Not `timeout`, which would not look at an answer that came while this process was held up.
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
            await _abandon(conn, error)  # so that it ends there, and another is to be had
            committed = await self.db.is_committed(tx) if tx.xid else None if may_write else False
            if committed is None:
                raise OutcomeUnknown from error
            if not committed:
                raise Overloaded from error
            return "COMMIT"
        finally:
            committing.cancel()

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
