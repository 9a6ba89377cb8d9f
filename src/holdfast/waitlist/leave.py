"""Leaving the waitlist."""

from __future__ import annotations

from uuid import UUID

from holdfast.kernel.tx import Tx
from holdfast.place.venue import Venue
from holdfast.waitlist import store
from holdfast.waitlist.access import require_visible
from holdfast.waitlist.decline import give_back
from holdfast.waitlist.model import Entry, EntryStatus, moved
from holdfast.waitlist.settle import settled

REASON = "The guest left the waitlist."


async def leave(tx: Tx, entry_id: UUID, *, venue: Venue) -> Entry:
    """The entry as it now is: LEFT, with its offer, if it had one, given back; or what became of that offer
    before.

    Runs under the venue's lock; a second time it answers the same. Raises NotFound, InvalidTransition.
    """
    entry = await store.get(tx, venue.tenant_id, entry_id, for_update=True)
    require_visible(entry, tx.actor)
    if entry.status is EntryStatus.LEFT:
        return entry
    before, entry = entry, await settled(tx, entry)
    if entry is not before:
        return entry
    after = moved(entry, EntryStatus.LEFT, now=tx.now)
    if entry.status is EntryStatus.OFFERED:
        await give_back(tx, entry, venue=venue, reason=REASON)
    await store.save(tx, [after], actor=str(tx.actor))
    return after
