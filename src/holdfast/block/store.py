"""Statements on the table `block` and its history. Only this noun writes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson

from holdfast.block.model import COLUMNS, Block, BlockStep
from holdfast.booking.finding.lists import StartKey
from holdfast.event.emit import emit_from
from holdfast.kernel.db.tx import Tx, encode_text, plain_id
from holdfast.kernel.errors import NotFound, VersionConflict
from holdfast.place.venue import Venue

HISTORY_MAX = 500
When = Literal["active", "upcoming", "past"]

_TYPES = {
    "tenant_id": "uuid", "id": "uuid", "venue_id": "uuid", "kind": "text", "reason": "text",
    "resource_ids": "uuid[]", "local_start": "timestamp", "local_end": "timestamp", "timezone": "text",
    "rrule": "text", "cancelled_from": "date", "removed_at": "timestamptz", "created_by": "text",
    "version": "integer", "first_at": "timestamptz", "last_at": "timestamptz", "created_at": "timestamptz",
    "updated_at": "timestamptz",
}  # fmt: skip
assert tuple(_TYPES) == COLUMNS, "_TYPES and Block must name the same columns in the same order"

_NAMES = ", ".join(COLUMNS)
_RECORD = ", ".join(f"{name} {type_}" for name, type_ in _TYPES.items())
_HISTORY = """
    INSERT INTO block_history (tenant_id, block_id, version, actor, action, changes, created_at)
    SELECT tenant_id, block_id, version, actor, action, changes, created_at
      FROM json_to_record($2::text::json) AS h (
           tenant_id uuid, block_id uuid, version integer, actor text, action text, changes jsonb,
           created_at timestamptz)"""

INSERT = f"""
    WITH made AS (
        INSERT INTO block ({_NAMES})
        SELECT {_NAMES} FROM json_to_record($1::text::json) AS b ({_RECORD})
    ), history AS ({_HISTORY}
    ), {emit_from("$3")}
    SELECT
"""


async def insert(tx: Tx, step: BlockStep) -> None:
    """Writes a new block with its history and event."""
    await tx.execute(INSERT, *_rows(tx, step))


# Zero rows mean that somebody has changed it since it was read.
SAVE = f"""
    WITH saved AS (
        UPDATE block SET reason = new.reason, cancelled_from = new.cancelled_from, removed_at = new.removed_at,
                         last_at = new.last_at, version = new.version, updated_at = new.updated_at
          FROM json_to_record($1::text::json) AS new ({_RECORD})
         WHERE block.tenant_id = new.tenant_id AND block.id = new.id AND block.version = new.version - 1
     RETURNING block.id
    ), history AS ({_HISTORY}
    ), {emit_from("$3")}
    SELECT count(*) FROM saved
"""


async def save(tx: Tx, step: BlockStep) -> None:
    """Writes the next version of the block, with its history and event. Raises VersionConflict."""
    if await tx.fetchval(SAVE, *_rows(tx, step)) != 1:
        raise VersionConflict


def _rows(tx: Tx, step: BlockStep) -> tuple[str, str, str]:
    return encode_text(step.block), encode_text(step.history()), tx.emitting([step.event()])


FIND = f"SELECT {_NAMES} FROM block WHERE id = $1"


async def find(tx: Tx, block_id: UUID) -> Block:
    """Returns the block, for callers that don't know its tenant yet. Raises NotFound."""
    return _found(await tx.fetchrow(FIND, block_id), block_id)


GET_FOR_UPDATE = f"SELECT {_NAMES} FROM block WHERE tenant_id = $1 AND id = $2 FOR UPDATE"


async def lock(tx: Tx, tenant_id: UUID, block_id: UUID) -> Block:
    """Returns the tenant's block, locked against other changes. Raises NotFound."""
    return _found(await tx.fetchrow(GET_FOR_UPDATE, tenant_id, block_id), block_id)


def _found(row: Any, block_id: UUID) -> Block:
    if row is None:
        raise NotFound(f"There is no block {block_id}.")
    return from_row(row)


HISTORY = """
    SELECT version, actor, action, changes, created_at FROM block_history
     WHERE tenant_id = $1 AND block_id = $2 ORDER BY version LIMIT $3
"""


async def history(tx: Tx, block: Block) -> list[dict[str, Any]]:
    """Returns the first HISTORY_MAX entries of its history, oldest first."""
    rows = await tx.fetch(HISTORY, block.tenant_id, block.id, HISTORY_MAX)
    return [{**row, "changes": orjson.loads(row["changes"])} for row in rows]


OF_VENUE = f"""
    SELECT {_NAMES} FROM block
     WHERE tenant_id = $1 AND venue_id = $2 AND removed_at IS NULL
       AND ($3::uuid[] IS NULL OR resource_ids && $3)
       AND ($4::text IS NULL OR $4 = CASE WHEN last_at <= $5::timestamptz THEN 'past'
                                          WHEN first_at > $5 THEN 'upcoming' ELSE 'active' END)
       AND (first_at, id) > ($6, $7)
     ORDER BY first_at, id
     LIMIT $8
"""


async def of_venue(
    tx: Tx, venue: Venue, *, resource_id: UUID | None, when: When | None, after: StartKey, limit: int
) -> list[Block]:
    """Returns up to `limit` blocks of the venue after `after`, ordered by first start, without removed ones.
    `resource_id`: those that block it, or a part of it, or a whole that it is part of."""
    ids = None if resource_id is None else venue.sharing(resource_id)
    rows = await tx.fetch(
        OF_VENUE, venue.tenant_id, venue.id, ids, when, tx.now, after.start_at, after.id, limit
    )
    return [from_row(row) for row in rows]


REACHING_INTO = f"""
    SELECT {_NAMES} FROM block
     WHERE tenant_id = $1 AND venue_id = $2 AND first_at < $4 AND last_at > $3
       AND ($5::uuid[] IS NULL OR resource_ids && $5)
     ORDER BY first_at, id
"""


async def reaching_into(
    tx: Tx, venue: Venue, *, start: datetime, end: datetime, resource_id: UUID | None = None
) -> list[Block]:
    """Returns the blocks that may block something of the venue in `[start, end)`, including removed ones, whose past
    occurrences still count."""
    ids = None if resource_id is None else venue.sharing(resource_id)
    rows = await tx.fetch(REACHING_INTO, venue.tenant_id, venue.id, start, end, ids)
    return [from_row(row) for row in rows]


# LATERAL with OFFSET 0: one index probe for each, whatever table size the planner assumes.
OF_IDS = f"""
    SELECT b.*
      FROM unnest($2::uuid[]) AS asked (id),
           LATERAL (SELECT {_NAMES} FROM block
                     WHERE block.tenant_id = $1 AND block.id = asked.id OFFSET 0) AS b
"""


async def of_ids(tx: Tx, tenant_id: UUID, ids: Sequence[UUID]) -> list[Block]:
    """Returns these blocks of the tenant."""
    return [from_row(row) for row in await tx.fetch(OF_IDS, tenant_id, list(ids))]


def from_row(row: Any) -> Block:
    """Returns the block of a row with all columns of its table."""
    values = {name: row[name] for name in COLUMNS}
    for name in ("tenant_id", "id", "venue_id"):
        values[name] = plain_id(values[name])
    values["resource_ids"] = tuple(map(plain_id, values["resource_ids"]))
    return Block(**values)
