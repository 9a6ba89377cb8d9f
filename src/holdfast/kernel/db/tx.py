"""One open transaction, and the keys of advisory locks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from holdfast.kernel.actor import Actor
from holdfast.kernel.db.late import LockLate

if TYPE_CHECKING:
    from holdfast.port.ports import Ports  # For the type only; the kernel uses nothing of it.


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


def parse_locked(setting: str | None) -> frozenset[int] | None:
    """Parses `holdfast.locked`: the keys as a PostgreSQL array, '{1,2}'; None if it was not set."""
    if not setting:
        return None
    return frozenset(map(int, filter(None, setting.strip("{}").split(","))))


def lock_key(id_: UUID) -> int:
    """Returns the advisory lock key of an id: its last 64 bits, which are random in a UUIDv7."""
    return int.from_bytes(id_.bytes[8:], "big", signed=True)


TRY_LOCKS = "SELECT try_locks($1::bigint[])"


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
