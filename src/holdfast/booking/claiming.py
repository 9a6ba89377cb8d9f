"""Bringing a booking's claims in line with what the booking became."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from holdfast.booking.choose import claims_of, first_free
from holdfast.booking.conflicts import lost, taken
from holdfast.booking.decide import open_sets
from holdfast.booking.due import evict_expired_holds
from holdfast.booking.model import Booking
from holdfast.booking.prepared import Prepared
from holdfast.claim import store as claims
from holdfast.claim.model import Occupancy
from holdfast.kernel.tx import Tx
from holdfast.place.venue import Resource, Venue


async def follow(tx: Tx, before: Booking, after: Booking) -> None:
    """After a step that left time and resources as they were: frees, or sets until when the claims stand."""
    if before.occupies and not after.occupies:
        await claims.free(tx, [(after.tenant_id, after.id)])
    elif before.occupies and before.expires_at != after.expires_at:
        await claims.keep_until(tx, tenant_id=after.tenant_id, owner_id=after.id, expires_at=after.expires_at)


async def place_for(tx: Tx, prepared: Prepared) -> tuple[tuple[Resource, ...], tuple[int, ...], Occupancy]:
    """The best free set of resources for the booking, with units; its own claims are no obstacle to it.

    Raises NotAvailable.
    """
    own_id = prepared.wanted.id
    found = await claims.overlapping(tx, prepared.probes())
    occupancy = Occupancy.of(found, now=tx.now)
    best = first_free(open_sets(prepared), prepared.span, occupancy, but=own_id)
    if best is None:
        raise taken(prepared, occupancy, but=own_id)
    return *best, occupancy


async def occupy(
    tx: Tx,
    booking: Booking,
    venue: Venue,
    resources: Sequence[Resource],
    units: Sequence[int],
    occupancy: Occupancy,
) -> None:
    """Puts these claims in the place of the booking's old ones, if it had any. Raises NotAvailable when the
    constraint objects after all."""
    wanted = claims_of(booking, resources, units)
    await claims.free(tx, [(booking.tenant_id, booking.id)])
    await evict_expired_holds(tx, wanted, occupancy)
    try:
        await claims.take(tx, wanted)
    except asyncpg.ExclusionViolationError as error:
        raise lost(resources[0].kind, venue) from error
