"""Dead letters: list, inspect, replay, purge."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from holdfast.job.model import DeadLetter, event_from
from holdfast.kernel.actor import can_touch_venue
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import NotFound
from holdfast.place.kept import Tenant
from holdfast.place.reach import own_tenant
from holdfast.place.store import get_tenant

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
    """Returns the dead letters that the actor may see, newest first; `replayed`: include those that were replayed."""
    venues = None if tx.actor.venue_ids is None else list(tx.actor.venue_ids)
    rows = await tx.fetch(LIST, tenant_id, before or LAST, venues, replayed, limit)
    return [_letter(row) for row in rows]


async def page_of(
    tx: Tx, slug: str | None, *, replayed: bool, before: UUID | None, limit: int
) -> list[tuple[DeadLetter, Tenant]]:
    """Returns `page` of the named tenant, or of the actor's own. Raises the same as `own_tenant`."""
    tenant = await own_tenant(tx, slug)
    found = await page(tx, tenant_id=tenant.id, replayed=replayed, before=before, limit=limit)
    return [(letter, tenant) for letter in found]


FIND = f"{_LETTER} WHERE id = $1"
FIND_FOR_UPDATE = f"{FIND} FOR UPDATE"


async def inspect(tx: Tx, letter_id: UUID, *, for_update: bool = False) -> tuple[DeadLetter, Tenant]:
    """Returns the dead letter, locked if `for_update`. Raises NotFound if the actor can't access such a letter."""
    row = await tx.fetchrow(FIND_FOR_UPDATE if for_update else FIND, letter_id)
    letter = None if row is None else _letter(row)
    tenant = None if letter is None else await get_tenant(tx, letter.event.tenant_id)
    if letter is None or tenant is None or not _within_reach(tx, letter):
        raise NotFound(f"There is no dead letter {letter_id}, or it is not yours.")
    return letter, tenant


def _letter(row: Any) -> DeadLetter:
    return DeadLetter(**{**dict(row), "event": event_from(row["event"])})


def _within_reach(tx: Tx, letter: DeadLetter) -> bool:
    if letter.event.venue_id is None:
        return tx.actor.venue_ids is None
    return can_touch_venue(tx.actor, letter.event.tenant_id, letter.event.venue_id)


REOPEN = """
    WITH replayed AS (
        UPDATE dead_letter SET replayed_at = $3, replayed_by = $4
         WHERE tenant_id = $1 AND id = $2 AND replayed_at IS NULL
     RETURNING tenant_id, id, lane, reaction, venue_id, event
    )
    INSERT INTO job (tenant_id, id, lane, reaction, venue_id, event)
    SELECT tenant_id, id, lane, reaction, venue_id, event FROM replayed
"""


async def replay(tx: Tx, letter_id: UUID) -> tuple[DeadLetter, Tenant]:
    """Turns the dead letter into a job again, with the same id and up to TRIES_MAX tries. Does nothing if it was
    replayed already. Raises NotFound like `inspect`."""
    letter, tenant = await inspect(tx, letter_id, for_update=True)
    if letter.replayed_at is None:
        await tx.execute(REOPEN, tenant.id, letter.id, tx.now, str(tx.actor))
        letter = replace(letter, replayed_at=tx.now, replayed_by=str(tx.actor))
    return letter, tenant


PURGE = """
    DELETE FROM dead_letter
     WHERE id = ANY (ARRAY(SELECT id FROM dead_letter WHERE replayed_at < $1
                            ORDER BY replayed_at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
KEPT = timedelta(days=30)


async def purge_dead_letters(tx: Tx, limit: int) -> int:
    """Deletes up to `limit` dead letters that were replayed more than KEPT ago. Returns the number deleted. Dead
    letters that nobody replayed are kept forever."""
    return int((await tx.execute(PURGE, tx.now - KEPT, limit)).split()[-1])
