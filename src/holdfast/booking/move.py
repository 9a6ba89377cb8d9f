"""Moving a booking to another status: confirm, check in, complete, cancel, no-show."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from holdfast.booking import access, claiming, model, states, store
from holdfast.booking.choose import Demand, candidate_sets
from holdfast.booking.decide import Prepared
from holdfast.booking.model import ACTIONS, Booking, Step, moved
from holdfast.booking.states import InvalidTransition, Status
from holdfast.booking.wanted import Wanted, When
from holdfast.kernel.db import Tx
from holdfast.kernel.encode import encode_text
from holdfast.kernel.errors import Forbidden, VersionConflict
from holdfast.kernel.idempotency import Keyed, Reply, once
from holdfast.kernel.money import format_money
from holdfast.place.places import Places
from holdfast.place.venue import Venue

# Nobody sets these by hand: they are the assignment pipeline's.
PIPELINE = frozenset(
    {
        Status.CAPACITY_VERIFIED,
        Status.ASSIGNMENT_PENDING,
        Status.ASSIGNMENT_IN_PROGRESS,
        Status.ASSIGNMENT_FAILED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A step that somebody asks for. `expected_version`: of the booking as they saw it."""

    booking_id: UUID
    to: Status
    expected_version: int
    reason: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


async def move(
    tx: Tx, asked: Move, *, venue: Venue, places: Places | None = None, keyed: Keyed | None = None
) -> Reply:
    """The booking's JSON after the step, written with its history, its event and its claims.

    Runs under the lock of `venue`, the booking's; `places` looks whether that snapshot still holds.
    Raises NotFound, VersionConflict, InvalidTransition, Forbidden, NotAvailable (when a place must be
    found anew).
    """

    async def change() -> str:
        current = venue if places is None else await places.current(tx, venue)
        booking = await find_version(tx, asked.booking_id, asked.expected_version)
        after = await _moved(tx, booking, asked, current)
        return encode_text(model.as_json(after, current, tx.actor))

    return await once(tx, keyed, change)


async def find_version(tx: Tx, booking_id: UUID, expected_version: int) -> Booking:
    """The booking, locked, if the actor may see it and it is the version they saw.

    Raises NotFound, VersionConflict, and InvalidTransition for a hold that is past its time.
    """
    booking = await store.find(tx, booking_id, for_update=True)
    access.require_visible(booking, tx.actor)
    if booking.version != expected_version:
        raise VersionConflict(
            f"The booking is at version {booking.version}, not {expected_version}: "
            "read it again and repeat the change with its current version.",
            current_version=booking.version,
        )
    if booking.status in states.EXPIRING and booking.expires_at and booking.expires_at <= tx.now:
        raise InvalidTransition(
            f"This booking expired at {booking.expires_at.isoformat()}: make a new one.",
            **{"from": Status.EXPIRED, "to": None, "allowed": []},
        )
    return booking


async def _moved(tx: Tx, booking: Booking, asked: Move, venue: Venue) -> Booking:
    states.step(booking.status, asked.to)
    _require_right(tx, booking, asked.to, venue)
    changes: dict[str, Any] = {}
    metadata = dict(asked.metadata)
    if asked.to is Status.CANCELLED:
        changes = {"cancellation_reason": asked.reason, "cancelled_by": str(tx.actor)}
        metadata |= _fee(booking, venue, tx)
    after = moved(booking, asked.to, policy=venue.policy, now=tx.now, **changes)
    step = Step(
        booking=after,
        from_status=booking.status,
        action=ACTIONS.get(asked.to, "status"),
        actor=str(tx.actor),
        reason=asked.reason,
        metadata=metadata,
    )
    await _claims(tx, booking, after, venue)
    await store.save(tx, [step])
    return after


def _require_right(tx: Tx, booking: Booking, to: Status, venue: Venue) -> None:
    """Staff take any step that is not the pipeline's; guests cancel, and turn a hold into a booking."""
    if to in PIPELINE and tx.actor.kind != "system":
        raise Forbidden(f"{to} is set by the assignment pipeline alone.")
    if access.works_at(tx.actor, booking.tenant_id, booking.venue_id):
        return
    onward = states.initial_status(venue.policy, hold=False)
    if to is not Status.CANCELLED and not (booking.status is Status.HELD and to is onward):
        raise Forbidden(f"Guests can cancel a booking or turn a hold into {onward}; ask the venue for {to}.")


def _fee(booking: Booking, venue: Venue, tx: Tx) -> dict[str, str]:
    """What a cancellation past the cut-off costs, for the history; staff cancel without a fee."""
    policy = venue.policy
    late = tx.now > booking.start_at - timedelta(minutes=policy.cancellation_cutoff_minutes)
    if not late or not policy.cancellation_fee_percent or tx.actor.is_staff:
        return {}
    fee_minor = int(booking.total_minor * policy.cancellation_fee_percent / 100)
    return {"cancellation_fee": format_money(fee_minor, booking.currency), "currency": booking.currency}


async def _claims(tx: Tx, before: Booking, after: Booking, venue: Venue) -> None:
    if before.occupies or not after.occupies:
        await claiming.follow(tx, before, after)
        return
    resources, units, occupancy = await claiming.place_for(tx, _as_prepared(tx, after, venue))
    await claiming.occupy(tx, after, resources, units, occupancy)


def _as_prepared(tx: Tx, booking: Booking, venue: Venue) -> Prepared:
    """The booking as if it were wanted anew, at its own time and on its own resources."""
    wanted = Wanted(
        id=booking.id,
        tenant_id=booking.tenant_id,
        venue_id=booking.venue_id,
        actor=tx.actor,
        when=When(),
        party_size=booking.party_size,
        resource_ids=booking.resource_ids,
    )
    demand = Demand(booking.party_size, booking.resource_ids)
    return Prepared(wanted, venue, booking.span, booking.slot_id, candidate_sets(venue, demand))
