"""Accepting an offer, declining it, leaving the waitlist; and who may: as with bookings.

And bringing entries in line with what happened without them: offers answered or lapsed, windows over.
"""

from __future__ import annotations

from uuid import UUID

from holdfast.booking import states
from holdfast.booking import store as bookings
from holdfast.booking.access import require_visible
from holdfast.booking.move import Move, move
from holdfast.booking.states import Status
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx
from holdfast.place.venue import Venue
from holdfast.waitlist import queue_store, store
from holdfast.waitlist.model import Entry, EntryStatus, became, moved

DECLINED = "The offer was declined."
LEFT = "The guest left the waitlist."
SETTLED_MAX = 50
"""So many of each kind are settled in one transaction, under the venue's lock; the next takes the others."""


async def accept(tx: Tx, entry_id: UUID, *, venue: Venue) -> Entry:
    """The entry as it now is: ACCEPTED, its hold a booking as the venue's lifecycle makes of one; or LAPSED,
    when the offer's time is over, which is to be committed too.

    Runs under the venue's lock; a second time it answers the same. Raises NotFound, InvalidTransition.
    """
    onward = states.initial_status(venue.policy, hold=False)
    return await _answer(tx, entry_id, EntryStatus.ACCEPTED, onward, venue=venue)


async def decline(tx: Tx, entry_id: UUID, *, venue: Venue) -> Entry:
    """The entry as it now is: DECLINED, its hold cancelled; or LAPSED, when the offer's time is over.

    Runs under the venue's lock; a second time it answers the same. Raises NotFound, InvalidTransition.
    """
    declined = EntryStatus.DECLINED
    return await _answer(tx, entry_id, declined, Status.CANCELLED, venue=venue, reason=DECLINED)


async def _answer(
    tx: Tx, entry_id: UUID, to: EntryStatus, onward: Status, *, venue: Venue, reason: str | None = None
) -> Entry:
    entry = await settled(tx, await _own(tx, entry_id, venue))
    if entry.status is to or entry.offer_lapsed:
        return entry
    after = moved(entry, to, now=tx.now)
    await _move(tx, entry, onward, venue=venue, reason=reason)
    await store.save(tx, [after], actor=str(tx.actor))
    return after


async def leave(tx: Tx, entry_id: UUID, *, venue: Venue) -> Entry:
    """The entry as it now is: LEFT, with its offer, if it had one, given back; or what became of that offer
    before.

    Runs under the venue's lock; a second time it answers the same. Raises NotFound, InvalidTransition.
    """
    entry = await _own(tx, entry_id, venue)
    if entry.status is EntryStatus.LEFT:
        return entry
    before, entry = entry, await settled(tx, entry)
    if entry is not before:
        return entry
    after = moved(entry, EntryStatus.LEFT, now=tx.now)
    if entry.status is EntryStatus.OFFERED:
        await _move(tx, entry, Status.CANCELLED, venue=venue, reason=LEFT)
    await store.save(tx, [after], actor=str(tx.actor))
    return after


async def _move(tx: Tx, entry: Entry, to: Status, *, venue: Venue, reason: str | None = None) -> None:
    """Takes the hold of an open offer a step further; cancelled, it frees the place."""
    assert entry.booking_id is not None
    booking = await bookings.get(tx, entry.tenant_id, entry.booking_id)
    step = Move(booking_id=booking.id, to=to, expected_version=booking.version, reason=reason)
    await move(tx, step, venue=venue)


async def _own(tx: Tx, entry_id: UUID, venue: Venue) -> Entry:
    """The entry, locked, for whoever may answer for it. Raises NotFound."""
    entry = await store.get(tx, venue.tenant_id, entry_id, for_update=True)
    require_visible(entry, tx.actor, noun="entry")
    return entry


async def is_unsettled(tx: Tx, venue: Venue) -> bool:
    """Whether there is anything to settle."""
    return bool(await queue_store.answered(tx, venue, limit=1) or await queue_store.over(tx, venue, limit=1))


async def settle(tx: Tx, venue: Venue) -> bool:
    """Settles entries of the venue; returns whether there are more. Runs under its lock; safe to run again.

    1. Whose offer became something else: what the booking says. Expired: LAPSED; cancelled: DECLINED; any
       further: ACCEPTED.
    2. Who waits for a time that is past: LAPSED.
    """
    answered = await queue_store.answered(tx, venue, limit=SETTLED_MAX)
    settled = [
        moved(entry, to, now=tx.now)
        for entry, status, expires_at in answered
        if (to := became(status, expires_at=expires_at, now=tx.now)) is not None
    ]
    late = await queue_store.over(tx, venue, limit=SETTLED_MAX)
    settled += [moved(entry, EntryStatus.LAPSED, now=tx.now) for entry in late]
    await store.save(tx, settled, actor=str(SYSTEM))  # whoever is in the transaction: it came about
    return bool(settled) and SETTLED_MAX in (len(answered), len(late))


async def settled(tx: Tx, entry: Entry) -> Entry:
    """The entry as it stands by now, saved so. Runs under the venue's lock."""
    if entry.status is not EntryStatus.OFFERED or entry.booking_id is None:
        return entry
    booking = await bookings.get(tx, entry.tenant_id, entry.booking_id)
    to = became(booking.status, expires_at=booking.expires_at, now=tx.now)
    if to is None:
        return entry
    after = moved(entry, to, now=tx.now)
    await store.save(tx, [after], actor=str(SYSTEM))
    return after
