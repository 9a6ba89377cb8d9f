"""Bringing a booking's claims in line with what the booking became."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from holdfast.booking.choose import claims_of, first_free, settle
from holdfast.booking.conflicts import lost, taken
from holdfast.booking.decide import open_sets
from holdfast.booking.due import evict_expired_holds
from holdfast.booking.model import Booking
from holdfast.booking.prepared import Prepared
from holdfast.booking.states import CLAIM_STATES
from holdfast.claim import store as claims
from holdfast.claim.model import Occupancy, Shift
from holdfast.kernel.tx import Tx
from holdfast.place.venue import Resource, Venue


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


async def place_for(tx: Tx, prepared: Prepared) -> tuple[tuple[Resource, ...], tuple[int, ...], Occupancy]:
    """The best free set of resources for the booking, with units; its own claims are no obstacle to it.

    In the occupancy the claims have moved that `occupy` is to move. Raises NotAvailable.
    """
    own_id = prepared.wanted.id
    occupancy = Occupancy(tx.now)
    best: object = list(prepared.probes())
    while isinstance(best, list):
        await claims.learn(tx, occupancy, best)
        best = first_free(open_sets(prepared), prepared.span, occupancy, but=own_id)
    if best is None:
        raise taken(prepared, occupancy, but=own_id)
    resources, fits = best
    return resources, settle(fits, occupancy), occupancy


async def occupy(
    tx: Tx,
    booking: Booking,
    venue: Venue,
    resources: Sequence[Resource],
    units: Sequence[int],
    occupancy: Occupancy,
) -> Shift:
    """Puts these claims in the place of the booking's old ones, if it had any, and moves those of others that have
    moved in the occupancy. Raises NotAvailable when the constraint objects after all."""
    wanted = claims_of(booking, resources, units, changed_by=str(tx.actor))
    freed = await claims.free(tx, [(booking.tenant_id, booking.id)])
    moved = occupancy.moved
    evicted = await evict_expired_holds(tx, [*wanted, *moved.values()], occupancy)
    try:
        await claims.move(tx, moved)
        await claims.take(tx, wanted)
    except asyncpg.ExclusionViolationError as error:
        raise lost(resources[0].kind, venue) from error
    return Shift(freed=freed, taken=wanted) + evicted
