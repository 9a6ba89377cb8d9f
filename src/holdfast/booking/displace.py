"""Displaces bookings that lose their resources to a block."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from holdfast.booking import states, store
from holdfast.booking.deciding.prepare import prepared_at
from holdfast.booking.finding.suggest import suggest
from holdfast.booking.model import ACTIONS, DEFAULT_POLICY, Booking, entered
from holdfast.booking.states import displaced_status
from holdfast.booking.store import READ_COLUMNS, Step, from_row
from holdfast.booking.wanted import wanted_anew
from holdfast.claim.model import Claim, Occupancy
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError
from holdfast.place.venue import Venue

DISPLACED_BY_BLOCK = "displaced_by_block"
ACTION = "displace"
Slots = list[dict[str, Any]]


async def displace(
    tx: Tx, bookings: Sequence[Booking], *, alternatives: Mapping[UUID, Slots], block_id: UUID
) -> list[Booking]:
    """Cancels the holds among the bookings and sends the others to manual review; returns them as written.

    The history entry of a booking in manual review carries its alternatives, from `alternatives_to`. The caller has
    locked the bookings and freed their claims. Raises InvalidTransition for one that can't be displaced.
    """
    steps = [_step(tx, booking, alternatives.get(booking.id, []), block_id) for booking in bookings]
    await store.save(tx, steps)
    return [step.booking for step in steps]


def _step(tx: Tx, booking: Booking, alternatives: Slots, block_id: UUID) -> Step:
    # The booking no longer expires, even if unpaid or undecided: the guest is not at fault that it lost its resources.
    status = displaced_status(booking.status)
    metadata: dict[str, Any] = {"block_id": block_id}
    said: dict[str, Any] = {}
    if status in states.TERMINAL:
        said = {"cancellation_reason": DISPLACED_BY_BLOCK, "cancelled_by": str(tx.actor)}
    else:
        metadata["alternatives"] = alternatives
    return Step(
        booking=entered(booking, status, policy=DEFAULT_POLICY, now=tx.now, **said),
        from_status=booking.status,
        action=ACTIONS.get(status, ACTION),
        actor=str(tx.actor),
        reason=DISPLACED_BY_BLOCK,
        metadata=metadata,
        traceparent=tx.traceparent,
        facts={"reason": DISPLACED_BY_BLOCK},
    )


async def alternatives_to(
    tx: Tx, booking: Booking, *, venue: Venue, gone: Collection[UUID], taken: Sequence[Claim]
) -> Slots:
    """Returns where the booking could go instead, in the form of `suggest`, as if the owners in `gone` had no claims
    and the claims in `taken` existed. Nothing is reserved, so several bookings may get the same alternative."""
    if displaced_status(booking.status) in states.TERMINAL:
        return []

    def displaced(occupancy: Occupancy) -> None:
        for claims_ in occupancy.by_resource.values():
            claims_[:] = [each for each in claims_ if each.owner_id not in gone]
        for each in taken:
            occupancy.add(each)

    try:
        anew = wanted_anew(booking, tx.actor)
        if booking.chosen_by == "house":
            items = tuple(each.released for each in anew.items)
            anew = replace(anew, resource_ids=(), items=items)  # any other place suits as well
        wanted = prepared_at(anew, venue, booking.span, booking.slot_id)
        return await suggest(tx, wanted, displaced)
    except HoldfastError:
        # The rules have changed since the booking was made, and would refuse it today.
        return []


# LATERAL with OFFSET 0: one index probe per id, however large the planner thinks the table is.
OF_OWNERS = f"""
    SELECT b.*
      FROM unnest($2::uuid[]) AS asked (id),
           LATERAL (SELECT {READ_COLUMNS} FROM booking
                     WHERE booking.tenant_id = $1 AND booking.id = asked.id OFFSET 0) AS b
"""


async def owners(tx: Tx, tenant_id: UUID, ids: Sequence[UUID]) -> list[Booking]:
    """Returns these bookings of the tenant, ordered by start, without locking them. For display only."""
    rows = await tx.fetch(OF_OWNERS, tenant_id, list(ids))
    return sorted(map(from_row, rows), key=lambda each: (each.start_at, each.id))
