"""Updates a booking's claims after the booking has changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import asyncpg

from holdfast.assigning.choose import settle
from holdfast.booking import store
from holdfast.booking.deciding.conflicts import lost, taken
from holdfast.booking.deciding.decide import claims_of
from holdfast.booking.deciding.prepare import find_place, probes_of
from holdfast.booking.model import ACTIONS, Booking, ended
from holdfast.booking.states import CLAIM_STATES, EXPIRING, Status
from holdfast.booking.store import Step
from holdfast.booking.wanted import Prepared
from holdfast.claim import store as claims
from holdfast.claim.model import Claim, Occupancy, Shift
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx
from holdfast.pacing.arrived import ArrivingParty
from holdfast.place.venue import Venue

# The reason in the history: by the old status if the booking expired, otherwise by the new one.
REASONS = {
    Status.HELD: "The hold was not converted in time.",
    Status.PENDING: "It was not paid for in time.",
    Status.PENDING_APPROVAL: "Nobody approved it in time.",
    Status.NO_SHOW: "Nobody checked in before the end of the grace period.",
    Status.COMPLETED: "The booked time is over.",
}


def arriving(before: Iterable[Booking] = (), after: Iterable[Booking] = ()) -> Shift:
    """Returns how it changes who arrives if the bookings were as `before` and are as `after`."""
    return Shift(came=[*_arrivals(after)], gone=[*_arrivals(before)])


def _arrivals(bookings: Iterable[Booking]) -> Iterator[ArrivingParty]:
    for each in bookings:
        if each.occupies:
            yield ArrivingParty(
                each.venue_id, each.start_at, each.slot_id, each.details.source, each.party_size
            )


async def follow(tx: Tx, before: Booking, after: Booking) -> Shift:
    """Updates the state and expiry of the claims, after a transition between two statuses that occupy."""
    state = CLAIM_STATES[after.status]
    if CLAIM_STATES[before.status] == state and before.expires_at == after.expires_at:
        return Shift()
    return await claims.restate(
        tx,
        tenant_id=after.tenant_id,
        owner_id=after.id,
        state=state,
        expires_at=after.expires_at,
        changed_by=str(tx.actor),
    )


async def occupy(tx: Tx, booking: Booking, prepared: Prepared) -> Shift:
    """Takes the best free set of resources for the booking. Its own claims do not block it. Raises NotAvailable."""
    occupancy = Occupancy(tx.now)
    prepared = prepared.in_full()
    await claims.learn(tx, occupancy, probes_of(prepared))
    while isinstance(best := find_place(prepared, occupancy, but=booking.id), list):
        await claims.learn(tx, occupancy, best)
    if best is None:
        raise taken(prepared, occupancy, but=booking.id)
    settle(best.fits, occupancy)
    wanted = claims_of(booking, best.fits, changed_by=str(tx.actor))
    return await put(tx, [booking], wanted, occupancy, prepared.venue)


async def put(
    tx: Tx, bookings: Sequence[Booking], wanted: Sequence[Claim], occupancy: Occupancy, venue: Venue
) -> Shift:
    """Replaces the bookings' claims, if any, with these, and writes the moves of other claims recorded in `occupancy`.
    Raises NotAvailable if the constraint is violated after all."""
    freed = await claims.free(tx, [(each.tenant_id, each.id) for each in bookings])
    others = occupancy.moved
    wanted = [others.pop(each, each) for each in wanted]  # some moved to make room for others
    evicted = await evict_expired_holds(tx, [*wanted, *others.values()], occupancy)
    try:
        swapped = await claims.move(tx, others)
        await claims.take(tx, wanted)
    except asyncpg.ExclusionViolationError as error:
        raise lost(venue, [each.resource_id for each in wanted]) from error
    return Shift(freed, wanted) + evicted + swapped


async def evict_expired_holds(tx: Tx, claims_wanted: Iterable[Claim], occupancy: Occupancy) -> Shift:
    """Expires the holds that are past their `expires_at` and still in the way of these claims, because no tick has
    expired them yet.

    Runs under the locks of the venues. The caller announces the returned shift together with its own.
    """
    in_the_way = occupancy.expired_in_the_way(claims_wanted)
    if not in_the_way:
        return Shift()
    found = await store.of_ids(tx, in_the_way)
    past = [
        each for each in found if each.status in EXPIRING and each.expires_at and each.expires_at <= tx.now
    ]
    steps = ending_steps(tx, past, Status.EXPIRED)
    await store.save(tx, steps)
    freed = await claims.free(tx, [(each.booking.tenant_id, each.booking.id) for each in steps])
    return Shift(freed) + arriving(past)


def ending_steps(tx: Tx, bookings: Sequence[Booking], to: Status) -> list[Step]:
    return [
        Step(
            booking=_ended(tx, booking, to),
            from_status=booking.status,
            action=ACTIONS[to],
            actor=str(SYSTEM),  # not the transaction's actor, who did not end it
            reason=REASONS[booking.status if to is Status.EXPIRED else to],
        )
        for booking in bookings
    ]


def _ended(tx: Tx, booking: Booking, to: Status) -> Booking:
    # A visit that a tick completes ended at its booked end, however late the tick runs. Otherwise the buffer would
    # extend into time that may already be booked. If the party checked in after the booked end, the visit ended at
    # check-in.
    left_at = max(booking.end_at, booking.checked_in_at or booking.end_at)
    return ended(booking, to, now=tx.now, **({"completed_at": left_at} if to is Status.COMPLETED else {}))
