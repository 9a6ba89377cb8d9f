"""Accepts or declines an offer, or leaves the waitlist. Access is as for bookings.

Also settles entries, which catches up with what has happened: offers answered or expired, windows over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from holdfast.booking import store as bookings
from holdfast.booking.model import initial_status
from holdfast.booking.move import Move, move
from holdfast.booking.states import Status
from holdfast.kernel.actor import SYSTEM, require_visible
from holdfast.kernel.db.tx import Tx
from holdfast.place.venue import Venue
from holdfast.waitlist import queue_store, store
from holdfast.waitlist.model import Entry, EntryStatus, moved, status_after_offer

DECLINED = "The offer was declined."
LEFT = "The guest left the waitlist."
SETTLED_MAX = 50
"""The most entries of each kind that one transaction settles, under the venue's lock. The next takes the rest."""


async def accept(tx: Tx, entry_id: UUID, answers: Mapping[str, Any] | None = None, *, venue: Venue) -> Entry:
    """Accepts the offer and returns the entry: ACCEPTED, with the hold turned into a booking by the venue's
    lifecycle; or LAPSED if the offer has expired, which must be committed too.

    `answers`: to questions of the venue, as in a new booking. Runs under the venue's lock. Running it again returns the
    same. Raises NotFound, InvalidTransition, and InvalidRequest if answers are wrong or missing: then the offer stays.
    """
    onward = initial_status(venue.policy, hold=False)
    given = answers or {}
    return await _answer(tx, entry_id, EntryStatus.ACCEPTED, onward, venue=venue, answers=given)


async def decline(tx: Tx, entry_id: UUID, *, venue: Venue) -> Entry:
    """Declines the offer and returns the entry: DECLINED, with the hold cancelled; or LAPSED if the offer has expired.

    Runs under the venue's lock. Running it again returns the same. Raises NotFound, InvalidTransition.
    """
    declined = EntryStatus.DECLINED
    return await _answer(tx, entry_id, declined, Status.CANCELLED, venue=venue, reason=DECLINED)


async def _answer(
    tx: Tx, entry_id: UUID, to: EntryStatus, onward: Status, *, venue: Venue, **more: Any
) -> Entry:
    entry = await settled(tx, await _own(tx, entry_id, venue))
    if entry.status is to or entry.offer_lapsed:
        return entry
    after = moved(entry, to, now=tx.now)
    await _move(tx, entry, onward, venue=venue, **more)
    await store.save(tx, [after], actor=str(tx.actor))
    return after


async def leave(tx: Tx, entry_id: UUID, *, venue: Venue) -> Entry:
    """Leaves the waitlist and returns the entry: LEFT, with an open offer given back; or, if its offer is no longer
    open, with the status that follows from it.

    Runs under the venue's lock. Running it again returns the same. Raises NotFound, InvalidTransition.
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


async def _move(tx: Tx, entry: Entry, to: Status, *, venue: Venue, **more: Any) -> None:
    """Moves the hold of an open offer to another status. Cancelling it frees the place. `more`: further fields of the
    step."""
    assert entry.booking_id is not None
    booking = await bookings.get(tx, entry.tenant_id, entry.booking_id)
    step = Move(booking_id=booking.id, to=to, expected_version=booking.version, **more)
    await move(tx, step, venue=venue)


async def _own(tx: Tx, entry_id: UUID, venue: Venue) -> Entry:
    """Returns the entry, locked, if the actor may answer for it. Raises NotFound."""
    entry = await store.get(tx, venue.tenant_id, entry_id, for_update=True)
    require_visible(entry, tx.actor, noun="entry")
    return entry


async def is_unsettled(tx: Tx, venue: Venue) -> bool:
    """Whether there is anything to settle."""
    return bool(await queue_store.answered(tx, venue, limit=1) or await queue_store.over(tx, venue, limit=1))


async def settle(tx: Tx, venue: Venue) -> bool:
    """Settles entries of the venue, and returns whether there are more. Runs under its lock. Safe to run again.

    1. Entries whose offer is no longer open get the status that the booking implies. Expired: LAPSED; cancelled:
       DECLINED; anything else: ACCEPTED.
    2. Entries whose window is over: LAPSED.
    """
    answered = await queue_store.answered(tx, venue, limit=SETTLED_MAX)
    settled = [
        moved(entry, to, now=tx.now)
        for entry, status, expires_at in answered
        if (to := status_after_offer(status, expires_at=expires_at, now=tx.now)) is not None
    ]
    late = await queue_store.over(tx, venue, limit=SETTLED_MAX)
    settled += [moved(entry, EntryStatus.LAPSED, now=tx.now) for entry in late]
    await store.save(tx, settled, actor=str(SYSTEM))  # not by the transaction's actor
    return bool(settled) and SETTLED_MAX in (len(answered), len(late))


async def settled(tx: Tx, entry: Entry) -> Entry:
    """Returns the entry, updated and saved if its offer is no longer open. Runs under the venue's lock."""
    if entry.status is not EntryStatus.OFFERED or entry.booking_id is None:
        return entry
    booking = await bookings.get(tx, entry.tenant_id, entry.booking_id)
    to = status_after_offer(booking.status, expires_at=booking.expires_at, now=tx.now)
    if to is None:
        return entry
    after = moved(entry, to, now=tx.now)
    await store.save(tx, [after], actor=str(SYSTEM))
    return after
