"""Bringing a booking's claims in line with what the booking became."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from holdfast.assigning.choose import first_free, settle
from holdfast.booking.deciding.conflicts import lost, taken
from holdfast.booking.deciding.decide import claims_of, open_sets, probes_of
from holdfast.booking.deciding.wanted import Prepared
from holdfast.booking.due import evict_expired_holds
from holdfast.booking.model import Booking
from holdfast.booking.states import CLAIM_STATES
from holdfast.claim import store as claims
from holdfast.claim.model import Claim, Occupancy, Shift
from holdfast.kernel.db.tx import Tx
from holdfast.place.venue import Venue


async def follow(tx: Tx, before: Booking, after: Booking) -> Shift:
    """After a step between statuses that occupy: sets what the claims say and until when they stand."""
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
    """Takes the best free set of resources for the booking; what it occupies so far is no obstacle to it. Raises
    NotAvailable."""
    occupancy = Occupancy(tx.now)
    best: object = list(probes_of(prepared))
    while isinstance(best, list):
        await claims.learn(tx, occupancy, best)
        best = first_free(open_sets(prepared), prepared.span, occupancy, but=booking.id)
    if best is None:
        raise taken(prepared, occupancy, but=booking.id)
    resources, fits = best
    wanted = claims_of(booking, resources, settle(fits, occupancy), changed_by=str(tx.actor))
    return await put(tx, [booking], wanted, occupancy, prepared.venue)


async def put(
    tx: Tx, bookings: Sequence[Booking], wanted: Sequence[Claim], occupancy: Occupancy, venue: Venue
) -> Shift:
    """Puts these claims in the place of the bookings' old ones, if they had any, and moves those of others that have
    moved in the occupancy. Raises NotAvailable when the constraint objects after all."""
    freed = await claims.free(tx, [(each.tenant_id, each.id) for each in bookings])
    others = occupancy.moved
    wanted = [others.pop(each, each) for each in wanted]  # some have moved for others of the set
    evicted = await evict_expired_holds(tx, [*wanted, *others.values()], occupancy)
    try:
        await claims.move(tx, others)
        await claims.take(tx, wanted)
    except asyncpg.ExclusionViolationError as error:
        raise lost(venue, [each.resource_id for each in wanted]) from error
    return Shift(freed, wanted) + evicted
