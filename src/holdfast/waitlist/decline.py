"""Declining an offer."""

from __future__ import annotations

from uuid import UUID

from holdfast.booking import store as bookings
from holdfast.booking.move import Move, move
from holdfast.booking.states import Status
from holdfast.kernel.tx import Tx
from holdfast.place.venue import Venue
from holdfast.waitlist import store
from holdfast.waitlist.access import require_visible
from holdfast.waitlist.model import Entry, EntryStatus, moved
from holdfast.waitlist.settle import settled

REASON = "The offer was declined."


async def decline(tx: Tx, entry_id: UUID, *, venue: Venue) -> Entry:
    """The entry as it now is: DECLINED, its hold cancelled; or LAPSED, when the offer's time is over.

    Runs under the venue's lock; a second time it answers the same. Raises NotFound, InvalidTransition.
    """
    entry = await store.get(tx, venue.tenant_id, entry_id, for_update=True)
    require_visible(entry, tx.actor)
    entry = await settled(tx, entry)
    if entry.status is EntryStatus.DECLINED or entry.offer_lapsed:
        return entry
    after = moved(entry, EntryStatus.DECLINED, now=tx.now)
    await give_back(tx, entry, venue=venue, reason=REASON)
    await store.save(tx, [after], actor=str(tx.actor))
    return after


async def give_back(tx: Tx, entry: Entry, *, venue: Venue, reason: str) -> None:
    """Cancels the hold of an open offer, which frees the place."""
    assert entry.booking_id is not None
    booking = await bookings.get(tx, entry.tenant_id, entry.booking_id)
    step = Move(booking_id=booking.id, to=Status.CANCELLED, expected_version=booking.version, reason=reason)
    await move(tx, step, venue=venue)
