"""Accepting an offer."""

from __future__ import annotations

from uuid import UUID

from holdfast.booking import states
from holdfast.booking import store as bookings
from holdfast.booking.move import Move, move
from holdfast.kernel.tx import Tx
from holdfast.place.venue import Venue
from holdfast.waitlist import store
from holdfast.waitlist.access import require_visible
from holdfast.waitlist.model import Entry, EntryStatus, moved
from holdfast.waitlist.settle import settled


async def accept(tx: Tx, entry_id: UUID, *, venue: Venue) -> Entry:
    """The entry as it now is: ACCEPTED, its hold a booking as the venue's lifecycle makes of one; or LAPSED,
    when the offer's time is over, which is to be committed too.

    Runs under the venue's lock; a second time it answers the same. Raises NotFound, InvalidTransition.
    """
    entry = await store.get(tx, venue.tenant_id, entry_id, for_update=True)
    require_visible(entry, tx.actor)
    entry = await settled(tx, entry)
    if entry.status is EntryStatus.ACCEPTED or entry.offer_lapsed:
        return entry
    after = moved(entry, EntryStatus.ACCEPTED, now=tx.now)
    assert entry.booking_id is not None
    booking = await bookings.get(tx, entry.tenant_id, entry.booking_id)
    onward = states.initial_status(venue.policy, hold=False)
    step = Move(booking_id=booking.id, to=onward, expected_version=booking.version)
    await move(tx, step, venue=venue)
    await store.save(tx, [after], actor=str(tx.actor))
    return after
