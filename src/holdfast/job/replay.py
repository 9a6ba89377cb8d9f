"""Dead letters: looked at, and delivered once more."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from holdfast.identity.roles import can_touch_venue
from holdfast.job import letters
from holdfast.job.model import DeadLetter
from holdfast.kernel.errors import NotFound
from holdfast.kernel.tx import Tx
from holdfast.place.reach import own_tenant
from holdfast.place.store import get_tenant
from holdfast.place.tenant import Tenant


async def page_of(
    tx: Tx, slug: str | None, *, replayed: bool, before: UUID | None, limit: int
) -> list[tuple[DeadLetter, Tenant]]:
    """Dead letters of the tenant named, or of the actor's own, the newest first; `replayed`: those that
    were replayed as well. Raises what `own_tenant` raises."""
    tenant = await own_tenant(tx, slug)
    found = await letters.page(tx, tenant_id=tenant.id, replayed=replayed, before=before, limit=limit)
    return [(letter, tenant) for letter in found]


async def inspect(tx: Tx, letter_id: UUID, *, for_update: bool = False) -> tuple[DeadLetter, Tenant]:
    """The dead letter. Raises NotFound when there is none within the actor's reach."""
    letter = await letters.find(tx, letter_id, for_update=for_update)
    tenant = None if letter is None else await get_tenant(tx, letter.event.tenant_id)
    if letter is None or tenant is None or not _within_reach(tx, letter):
        raise NotFound(f"There is no dead letter {letter_id}, or it is not yours.")
    return letter, tenant


async def replay(tx: Tx, letter_id: UUID) -> tuple[DeadLetter, Tenant]:
    """The dead letter, which is a job again: tried up to TRIES_MAX times. One that was replayed already stays as it
    is. Raises NotFound as `inspect` does."""
    letter, tenant = await inspect(tx, letter_id, for_update=True)
    if letter.replayed_at is None and await letters.reopen(tx, letter):
        letter = replace(letter, replayed_at=tx.now, replayed_by=str(tx.actor))
    return letter, tenant


def _within_reach(tx: Tx, letter: DeadLetter) -> bool:
    if letter.event.venue_id is None:
        return tx.actor.venue_ids is None
    return can_touch_venue(tx.actor, letter.event.tenant_id, letter.event.venue_id)
