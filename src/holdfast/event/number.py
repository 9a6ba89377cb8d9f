"""Giving events their positions: dense, in commit order, after the commit.

A change writes its event and, beside it, a row in `event_new` with a number from a sequence. Whoever wants to read
events first moves what is committed from there to `event_log`, in order of those numbers. On each channel they grow in
commit order, since they are drawn under the lock of the channel's row. An event that has no position yet is a visible
row, so none can be skipped; and no transaction id is stored, so a restore or a move to another server changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.lanes import Lane
from holdfast.kernel.db.tx import Tx

T = TypeVar("T")
NUMBERED_MAX = 10_000
"""Events in one pass."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """`epoch`: which history positions belong to, 8 hex digits; another whenever they may mean other events than
    before: after a restore, a fail-over or a move to another server. A cursor is an epoch and a position.
    `head`: the last position there is. `is_complete`: whether every event that was committed before the pass began
    has its position now; not so when somebody else is numbering at this moment, or there were more than one pass takes.
    `now`: the database's clock.
    """

    epoch: str
    head: int
    is_complete: bool
    now: datetime


NUMBER = "SELECT * FROM number_events($1, $2, $3)"


class Numberer:
    """Numbers events, in a short transaction of its own each time.

    One at a time in the whole database: who finds another at work leaves it to them. It remembers up to which number
    of the sequence nothing can come any more, so that it need not look there: dead rows pile up in the queue while
    somebody holds an old snapshot, such as a dump. A number is such a floor once every transaction that had begun when
    it was seen is over. What is remembered is good for one table on one run of the server.

    `lane`: whose connections it uses. Only `background` has no bound, so that is not for what requests ask for.
    """

    def __init__(self, db: Database, *, lane: Lane = "background") -> None:
        self._call = db.call(SYSTEM, own_clock=True, lane=lane)
        self._source: str | None = None
        self._floor = 0
        # A number, and the transaction id that was next when it was seen.
        self._seen: tuple[int, int] | None = None

    async def number(self) -> Numbered:
        """Gives positions to up to NUMBERED_MAX events; committed when it returns."""
        return (await self.number_and(_look_at_nothing))[0]

    async def number_and(self, look: Callable[[Tx, Numbered], Awaitable[T]]) -> tuple[Numbered, T]:
        """The same, with what `look` read in that transaction: a reader that polls saves one of its own."""
        row, value = await self._call.run(_number, self._source, self._floor, look)
        # Only now: had the commit failed, what it looked at would still be to be numbered.
        if row["source"] != self._source:
            self._source, self._floor, self._seen = row["source"], 0, None
        elif self._seen is not None and row["is_complete"] and row["oldest_running"] >= self._seen[1]:
            self._floor, self._seen = self._seen[0], None
        if self._seen is None and row["last_seq"] is not None:
            self._seen = (row["last_seq"], row["next_xid"])
        return _numbered(row), value


async def _number(
    tx: Tx, source: str | None, floor: int, look: Callable[[Tx, Numbered], Awaitable[T]]
) -> tuple[Any, T]:
    row = await tx.fetchrow(NUMBER, source, floor, NUMBERED_MAX)
    return row, await look(tx, _numbered(row))


def _numbered(row: Any) -> Numbered:
    return Numbered(row["epoch"], row["head"], row["is_complete"], row["now"])


async def _look_at_nothing(_tx: Tx, _numbered: Numbered) -> None:
    return None
