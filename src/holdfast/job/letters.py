"""SQL on dead letters."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from holdfast.job.model import DeadLetter, event_from
from holdfast.kernel.tx import Tx

_LETTER = """
    SELECT id, lane, reaction, event, attempts, error, first_failed_at, dead_at, replayed_at, replayed_by,
           delivered_at
      FROM dead_letter"""

LIST = f"""{_LETTER}
     WHERE ($1::uuid IS NULL OR tenant_id = $1) AND id < $2
       AND ($3::uuid[] IS NULL OR venue_id = ANY ($3))
       AND ($4 OR replayed_at IS NULL)
     ORDER BY id DESC
     LIMIT $5
"""
LAST = UUID(int=2**128 - 1)


async def page(
    tx: Tx, *, tenant_id: UUID | None, replayed: bool, before: UUID | None, limit: int
) -> list[DeadLetter]:
    """Dead letters that the actor may see, the newest first; `replayed`: those that were replayed as well."""
    venues = None if tx.actor.venue_ids is None else list(tx.actor.venue_ids)
    rows = await tx.fetch(LIST, tenant_id, before or LAST, venues, replayed, limit)
    return [_letter(row) for row in rows]


FIND = f"{_LETTER} WHERE id = $1"
FIND_FOR_UPDATE = f"{FIND} FOR UPDATE"


async def find(tx: Tx, letter_id: UUID, *, for_update: bool = False) -> DeadLetter | None:
    """The dead letter, locked if asked."""
    row = await tx.fetchrow(FIND_FOR_UPDATE if for_update else FIND, letter_id)
    return None if row is None else _letter(row)


def _letter(row: Any) -> DeadLetter:
    return DeadLetter(**{**dict(row), "event": event_from(row["event"])})


REOPEN = """
    WITH replayed AS (
        UPDATE dead_letter SET replayed_at = $3, replayed_by = $4
         WHERE tenant_id = $1 AND id = $2 AND replayed_at IS NULL
     RETURNING tenant_id, id, lane, reaction, venue_id, event
    )
    INSERT INTO job (tenant_id, id, lane, reaction, venue_id, event)
    SELECT tenant_id, id, lane, reaction, venue_id, event FROM replayed
"""


async def reopen(tx: Tx, letter: DeadLetter) -> bool:
    """Whether the letter was still dead; it is a job again, of the same id."""
    done = await tx.execute(REOPEN, letter.event.tenant_id, letter.id, tx.now, str(tx.actor))
    return not done.endswith(" 0")


PURGE = """
    DELETE FROM dead_letter
     WHERE id = ANY (ARRAY(SELECT id FROM dead_letter WHERE replayed_at < $1
                            ORDER BY replayed_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
KEPT = timedelta(days=30)


async def purge_dead_letters(tx: Tx, limit: int) -> int:
    """Removes up to `limit` dead letters that were replayed more than KEPT ago; returns how many. Those that nobody
    replayed stay for good."""
    return int((await tx.execute(PURGE, tx.now - KEPT, limit)).split()[-1])
