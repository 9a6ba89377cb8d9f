"""One open transaction and what bounds its waits: advisory locks and the deadline of its request.

A request may wait for several things one after the other: its turn, a lock, a connection. Each wait has its own bound,
and the deadline bounds their sum.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context, ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from holdfast.kernel.actor import Actor
from holdfast.kernel.db.faults import UNREACHABLE
from holdfast.kernel.encode import json_default

if TYPE_CHECKING:
    from holdfast.port.ports import Ports  # For the type only; the kernel uses nothing of it.


LOOK_S = 0.05
"""Interval between looks for late locks that are free now."""
REQUEST_DEADLINE_S = 1.8
"""The default; HOLDFAST_REQUEST_DEADLINE_S sets another."""


class _Deadline:
    """Starts at the first wait, so that a request body that arrives slowly does not use it up."""

    __slots__ = ("seconds", "until")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until: float | None = None


_current: ContextVar[_Deadline | None] = ContextVar("holdfast_deadline", default=None)


@contextmanager
def request_deadline(seconds: float = REQUEST_DEADLINE_S) -> Iterator[None]:
    """All waits in the block, and in tasks it starts, end `seconds` after the first wait began."""
    token = _current.set(_Deadline(seconds))
    try:
        yield
    finally:
        _current.reset(token)


def left_s(most_s: float) -> float:
    """Returns the timeout for a wait, in seconds: `most_s`, but not past the deadline; 0 when it has passed."""
    deadline = _current.get()
    if deadline is None:
        return most_s
    now = time.monotonic()
    if deadline.until is None:
        deadline.until = now + deadline.seconds
    return max(min(most_s, deadline.until - now), 0.0)


def part_s(usual_s: float) -> float:
    """Like `left_s`, for a wait that may take a share of the deadline: `usual_s` of REQUEST_DEADLINE_S, scaled to the
    request's own deadline."""
    deadline = _current.get()
    return left_s(usual_s if deadline is None else usual_s * deadline.seconds / REQUEST_DEADLINE_S)


class Tx:
    """One open transaction, as a verb sees it.

    `now`: the time this transaction goes by: the database's clock, read after the locks were taken, or a virtual time.
    `locked`: which of the call's locks it holds; None if the call names none.
    `late`: locks known to be held by others for long.
    `xid`: the PostgreSQL transaction id, set where the outcome of the commit may have to be looked up.
    `events`: what it has emitted so far, in order (`event.model.Event`).
    `ports`: the external services it may ask.
    """

    __slots__ = (
        "_conn",
        "actor",
        "events",
        "late",
        "locked",
        "now",
        "ports",
        "round_trips",
        "traceparent",
        "xid",
    )

    def __init__(self, conn: PoolConnectionProxy, actor: Actor, now: datetime | None, ports: Ports) -> None:
        self._conn = conn
        self.actor = actor
        self.ports = ports
        self.now: datetime = now  # pyright: ignore[reportAttributeAccessIssue]  # set before the verb sees it
        self.locked: frozenset[int] | None = None
        self.late: Container[int] = ()
        self.round_trips = 0
        self.xid: str | None = None
        self.traceparent: str | None = None
        self.events: list[Any] = []

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        self.round_trips += 1
        return await self._conn.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: Any) -> asyncpg.Record | None:
        self.round_trips += 1
        return await self._conn.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        self.round_trips += 1
        return await self._conn.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        self.round_trips += 1
        return await self._conn.execute(sql, *args)

    def emitting(self, events: Sequence[Any]) -> str:
        """Adds the events to `events` and returns the parameter for a statement that writes them (`event.emit`)."""
        self.events.extend(events)
        return encode_text(events)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A savepoint: if the block raises, its writes and events are undone and the transaction can go on."""
        emitted = len(self.events)
        await self.execute("SAVEPOINT here")
        try:
            yield
        except BaseException:
            del self.events[emitted:]
            await self.execute("ROLLBACK TO SAVEPOINT here")
            raise
        finally:
            await self.execute("RELEASE SAVEPOINT here")


def encode_text(value: Any) -> str:
    """Encodes the value as JSON, for an SQL parameter: what `kernel.encode` encodes, as text."""
    return orjson.dumps(value, default=json_default, option=orjson.OPT_UTC_Z).decode()


def plain_id(id_: UUID) -> UUID:
    """The same id as the standard library has it: asyncpg's own kind can't be written as JSON by orjson."""
    return UUID(int=id_.int)


def parse_locked(setting: str | None) -> frozenset[int] | None:
    """Parses `holdfast.locked`: the keys as a PostgreSQL array, '{1,2}'; None if it was not set."""
    if not setting:
        return None
    return frozenset(map(int, filter(None, setting.strip("{}").split(","))))


def lock_key(id_: UUID) -> int:
    """Returns the advisory lock key of an id: its last 64 bits, which are random in a UUIDv7."""
    return int.from_bytes(id_.bytes[8:], "big", signed=True)


TRY_LOCKS = "SELECT try_locks($1::bigint[])"


class LockLate(Exception):
    """A transaction did not get an advisory lock in time. `keys`: the missing locks."""

    def __init__(self, keys: Iterable[int]) -> None:
        self.keys = frozenset(keys)
        super().__init__(f"{len(self.keys)} locks are held by others")


async def take_lock(tx: Tx, key: int) -> None:
    """Takes an advisory lock that was not known when the transaction began. Raises LockLate; the transaction is then
    retried once the lock is free."""
    if key in tx.late or not await tx.fetchval("SELECT take_locks(ARRAY[$1::bigint])", key):
        raise LockLate([key])


async def lock_some(tx: Tx, keys: Sequence[int]) -> list[int]:
    """Takes all of the advisory locks that are free now; if none is, waits for the first. Returns the keys it got.

    `keys`: distinct, at least one. It holds none of these locks while it waits, so no deadlock can form.
    """
    locked: list[int] = await tx.fetchval(TRY_LOCKS, list(keys))
    if locked:
        return locked
    await tx.execute("SELECT pg_advisory_xact_lock($1::bigint)", keys[0])
    return [keys[0]]


class LateLocks:
    """Late locks: the advisory locks that transactions of this process did not get in time. Waiting for them uses no
    connection.

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
