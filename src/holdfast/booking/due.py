"""What time does to bookings: holds and requests expire, guests stay away, visits end.

Each verb here is a tick: one bounded statement that locks what is due and skips what others work on, so
it is safe on any number of workers, and to run again. Freeing takes no venue lock: it can't
conflict with anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from holdfast.booking import store
from holdfast.booking.model import ACTIONS, Booking, Step, ended
from holdfast.booking.states import EXPIRING, Status
from holdfast.claim import store as claims
from holdfast.claim.model import Claim, Occupancy
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.tx import Tx

EXPIRY_REASONS = {
    Status.HELD: "The hold was not converted in time.",
    Status.PENDING: "It was not paid in time.",
    Status.PENDING_APPROVAL: "It was not decided in time.",
}
NO_SHOW_REASON = "Nobody checked in before the end of the grace period."
COMPLETED_REASON = "The booked time is over."


async def expire(tx: Tx, limit: int) -> int:
    """Expires up to `limit` holds, unpaid bookings and undecided requests; answers how many."""
    overdue = await store.due(tx, sorted(EXPIRING), limit=limit)
    return await _end(tx, overdue, Status.EXPIRED)


async def no_show(tx: Tx, limit: int) -> int:
    """Marks up to `limit` bookings whose guests did not come, and frees their places; answers how many."""
    overdue = await store.due(tx, [Status.RESERVED, Status.CONFIRMED], limit=limit)
    return await _end(tx, overdue, Status.NO_SHOW, reason=NO_SHOW_REASON)


async def complete(tx: Tx, limit: int) -> int:
    """Completes up to `limit` visits whose time is over; answers how many."""
    over = await store.due(tx, [Status.CHECKED_IN], limit=limit)
    return await _end(tx, over, Status.COMPLETED, reason=COMPLETED_REASON)


async def evict_expired_holds(tx: Tx, claims_wanted: Iterable[Claim], occupancy: Occupancy) -> None:
    """Holds past their time, whose claims no tick has swept yet, make room for these claims now."""
    in_the_way = occupancy.expired_in_the_way(claims_wanted)
    if not in_the_way:
        return
    found = await store.of_ids(tx, sorted(in_the_way))
    past = [
        each for each in found if each.status in EXPIRING and each.expires_at and each.expires_at <= tx.now
    ]
    await _end(tx, past, Status.EXPIRED)


async def _end(tx: Tx, bookings: Sequence[Booking], to: Status, *, reason: str | None = None) -> int:
    steps = [
        Step(
            booking=ended(booking, to, now=tx.now),
            from_status=booking.status,
            action=ACTIONS[to],
            actor=str(SYSTEM),  # whoever is in the transaction: time did it
            reason=reason or EXPIRY_REASONS.get(booking.status),
        )
        for booking in bookings
    ]
    await store.save(tx, steps)
    await claims.free(tx, [(booking.tenant_id, booking.id) for booking in bookings])
    return len(steps)
