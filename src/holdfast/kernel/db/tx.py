"""One open transaction, and the names of the locks it may hold."""

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
    from holdfast.port.ports import Ports  # The type alone: what it is made of is no concern of the kernel.


class Tx:
    """One open transaction: what a verb may use.

    `now` is the instant this transaction decides by: the database's clock, read after the locks were
    taken, or a virtual one. `locked`: which of the locks that its call names it holds; None when it names none.
    `late`: locks that are known to be held by others for long.
    `xid`: the transaction's id as PostgreSQL has it, where the commit's outcome may have to be found out.
    `events`: what it has emitted so far, in that order (`event.model.Event`).
    `ports`: what the outside decides.
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
        """What the block writes and emits is undone when it raises; the transaction goes on."""
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
    """The keys in `holdfast.locked`: '{1,2}' as PostgreSQL writes an array; None when it was not set."""
    if not setting:
        return None
    return frozenset(map(int, filter(None, setting.strip("{}").split(","))))


def lock_key(id_: UUID) -> int:
    """The advisory lock key for an id: its last 64 bits, which in a UUIDv7 are random."""
    return int.from_bytes(id_.bytes[8:], "big", signed=True)


TRY_LOCKS = "SELECT try_locks($1::bigint[])"


async def take_lock(tx: Tx, key: int) -> None:
    """Takes an advisory lock that was not known when the transaction began. Raises LockLate, upon which the
    transaction is run again once the lock is free."""
    if key in tx.late or not await tx.fetchval("SELECT take_locks(ARRAY[$1::bigint])", key):
        raise LockLate([key])


async def lock_some(tx: Tx, keys: Sequence[int]) -> list[int]:
    """Takes those of the advisory locks that are free at once; where none is, waits for the first.

    `keys`: none twice, at least one. Answers which it got. Waiting with none in hand, nobody waits in a circle.
    """
    locked: list[int] = await tx.fetchval(TRY_LOCKS, list(keys))
    if locked:
        return locked
    await tx.execute("SELECT pg_advisory_xact_lock($1::bigint)", keys[0])
    return [keys[0]]
