"""Numbers events: gives them positions without gaps, in commit order, after the commit.

A change writes its event and a row in `event_new` with a number from a sequence. Whoever wants to read events first
moves the committed rows from there to `event_log`, in order of those numbers. On each channel the numbers follow commit
order, since they are drawn under the lock on the channel's row. An event without a position is still a visible row, so
none can be skipped. No transaction id is stored, so a restore or a move to another server changes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.call import Lane
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx

T = TypeVar("T")
NUMBERED_MAX = 10_000
"""Events per pass."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """The result of a pass.

    `epoch`: the history that positions belong to, 8 hex digits. It changes whenever positions may refer to other events
    than before: after a restore, a fail-over or a move to another server. A cursor is an epoch and a position.
    `head`: the last position. `is_complete`: whether every event committed before the pass began has a position now;
    False if another process is numbering at the same time, or there were more events than one pass takes.
    `now`: the database's clock.
    """

    epoch: str
    head: int
    is_complete: bool
    now: datetime


NUMBER = "SELECT * FROM number_events($1, $2, $3)"


class Numberer:
    """Numbers events, each time in a short transaction.

    Only one numberer works at a time in the whole database; others leave the work to it. It remembers a floor: the
    number in the sequence below which no event can appear any more. It need not scan below the floor, where dead rows
    pile up in the queue while somebody holds an old snapshot, such as a dump. A number becomes the floor once every
    transaction that was running when it was seen has ended. The floor is valid only for one table and one run of the
    server.
    `lane`: whose connections it uses. Only `background` is unbounded, so requests must use another lane.
    """

    def __init__(self, db: Database, *, lane: Lane = "background") -> None:
        self._call = db.call(SYSTEM, own_clock=True, lane=lane)
        self._source: str | None = None
        self._floor = 0
        # A number, and the next transaction id at the time it was seen.
        self._seen: tuple[int, int] | None = None

    async def number(self) -> Numbered:
        """Gives positions to up to NUMBERED_MAX events. They are committed when it returns."""
        return (await self.number_and(_look_at_nothing))[0]

    async def number_and(self, look: Callable[[Tx, Numbered], Awaitable[T]]) -> tuple[Numbered, T]:
        """Like `number`, and also returns what `look` reads in the same transaction, which saves another one."""
        row, value = await self._call.run(_number, self._source, self._floor, look)
        # Only after the commit: had it failed, these events would still have to be numbered.
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
