"""Bringing entries in line with what happened without them: offers answered or lapsed, windows over."""

from __future__ import annotations

from holdfast.booking import store as bookings
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.tx import Tx
from holdfast.place.venue import Venue
from holdfast.waitlist import queue_store, store
from holdfast.waitlist.model import Entry, EntryStatus, became, moved

SETTLED_MAX = 50
"""So many of each kind are settled in one transaction, under the venue's lock; the next takes the others."""


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
