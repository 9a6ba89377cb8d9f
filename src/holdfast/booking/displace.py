"""Bookings whose place is taken away from them by a block."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from holdfast.booking import states, store
from holdfast.booking.deciding.wanted import prepared_at, wanted_anew
from holdfast.booking.finding.suggest import suggest
from holdfast.booking.model import ACTIONS, DEFAULT_POLICY, Booking, Step, entered
from holdfast.booking.store import READ_COLUMNS, from_row
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
    """The bookings as they go on without their place: holds cancelled, the others to be placed by people.

    The history of each of the latter gets its alternatives, those of `alternatives_to`. The bookings are locked, and
    their claims gone. Raises InvalidTransition for one that can't be displaced.
    """
    steps = [_step(tx, booking, alternatives.get(booking.id, []), block_id) for booking in bookings]
    await store.save(tx, steps)
    return [step.booking for step in steps]


def _step(tx: Tx, booking: Booking, alternatives: Slots, block_id: UUID) -> Step:
    # Nothing is due by itself any more: an unpaid or undecided booking lost its place by no fault of its own.
    status = states.displaced(booking.status)
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
    """Where the booking could be instead, as `suggest` has it, with the claims of the owners `gone` away and those of
    `taken` there. Nothing is kept for anybody, so that several may be offered the same."""
    if states.displaced(booking.status) in states.TERMINAL:
        return []

    def displaced(occupancy: Occupancy) -> None:
        for claims_ in occupancy.by_resource.values():
            claims_[:] = [each for each in claims_ if each.owner_id not in gone]
        for each in taken:
            occupancy.add(each)

    try:
        wanted = prepared_at(wanted_anew(booking, tx.actor), venue, booking.span, booking.slot_id)
        return await suggest(tx, wanted, displaced)
    except HoldfastError:
        # The rules have changed since: nothing like it could be booked today.
        return []


# LATERAL with OFFSET 0: one probe for each, whatever the planner believes of the table's size.
OF_OWNERS = f"""
    SELECT b.*
      FROM unnest($2::uuid[]) AS asked (id),
           LATERAL (SELECT {READ_COLUMNS} FROM booking
                     WHERE booking.tenant_id = $1 AND booking.id = asked.id OFFSET 0) AS b
"""


async def owners(tx: Tx, tenant_id: UUID, ids: Sequence[UUID]) -> list[Booking]:
    """These bookings of the tenant by start, not locked: to be shown."""
    rows = await tx.fetch(OF_OWNERS, tenant_id, list(ids))
    return sorted(map(from_row, rows), key=lambda each: (each.start_at, each.id))
