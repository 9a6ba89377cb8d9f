"""Accepting an offer, declining it, leaving the waitlist; and who may: as with bookings."""

from __future__ import annotations

from uuid import UUID

from holdfast.booking import states
from holdfast.booking import store as bookings
from holdfast.booking.access import works_at
from holdfast.booking.move import Move, move
from holdfast.booking.states import Status
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import NotFound
from holdfast.kernel.tx import Tx
from holdfast.place.venue import Venue
from holdfast.waitlist import store
from holdfast.waitlist.model import Entry, EntryStatus, moved
from holdfast.waitlist.settle import settled

DECLINED = "The offer was declined."
LEFT = "The guest left the waitlist."


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
    await give_back(tx, entry, venue=venue, reason=DECLINED)
    await store.save(tx, [after], actor=str(tx.actor))
    return after


async def give_back(tx: Tx, entry: Entry, *, venue: Venue, reason: str) -> None:
    """Cancels the hold of an open offer, which frees the place."""
    assert entry.booking_id is not None
    booking = await bookings.get(tx, entry.tenant_id, entry.booking_id)
    step = Move(booking_id=booking.id, to=Status.CANCELLED, expected_version=booking.version, reason=reason)
    await move(tx, step, venue=venue)


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
        await give_back(tx, entry, venue=venue, reason=LEFT)
    await store.save(tx, [after], actor=str(tx.actor))
    return after


def require_visible(entry: Entry, actor: Actor) -> None:
    """Passes for the guest whose entry it is and for staff of its venue. Raises NotFound."""
    if not (works_at(actor, entry.tenant_id, entry.venue_id) or _is_own(entry, actor)):
        raise NotFound(f"There is no entry {entry.id}.")


def _is_own(entry: Entry, actor: Actor) -> bool:
    return (
        not actor.is_staff
        and actor.kind != "anonymous"
        and entry.guest_id == actor.id
        and actor.tenant_ids is not None
        and entry.tenant_id in actor.tenant_ids
    )
