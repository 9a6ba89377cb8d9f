"""How far readers of the event table have come."""

from __future__ import annotations

from holdfast.kernel.events import Position
from holdfast.kernel.tx import Tx

REACTIONS = "reactions"
"""The last event that jobs were made of."""
PURGED = "purged"
"""The last event that was removed for its age, or was kept in spite of it."""

READ = "SELECT xid::text::bigint, seq FROM event_cursor WHERE name = $1"


async def read(tx: Tx, name: str) -> Position:
    """Where the reader is; the beginning if it has read nothing yet."""
    row = await tx.fetchrow(READ, name)
    return Position() if row is None else Position(*row)


MOVE = """
    INSERT INTO event_cursor (name, xid, seq) VALUES ($1, $4::text::xid8, $5)
    ON CONFLICT ON CONSTRAINT event_cursor_pkey DO UPDATE SET xid = excluded.xid, seq = excluded.seq
     WHERE (event_cursor.xid, event_cursor.seq) = ($2::text::xid8, $3::bigint)
    RETURNING true
"""


async def move(tx: Tx, name: str, *, before: Position, to: Position) -> bool:
    """Whether the reader went on from `before`; False if somebody else moved it meanwhile."""
    moved = await tx.fetchval(MOVE, name, str(before.xid), before.seq, str(to.xid), to.seq)
    return moved is True
