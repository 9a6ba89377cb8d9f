"""Moves bookings to another status: confirm, check in, complete, cancel, no-show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from holdfast.booking import queries, states, store
from holdfast.booking.deciding.prepare import prepared_at
from holdfast.booking.making import claiming
from holdfast.booking.making.claiming import evict_expired_holds
from holdfast.booking.making.sales_store import read_sales
from holdfast.booking.model import ACTIONS, Booking, check_step, initial_status, moved
from holdfast.booking.rules.sale import with_sale
from holdfast.booking.said import Details
from holdfast.booking.states import InvalidTransition, Status
from holdfast.booking.store import Step
from holdfast.booking.wanted import Prepared, wanted_anew
from holdfast.channel.announce import announce
from holdfast.claim import store as claims
from holdfast.claim.model import CLEANING, Claim, Occupancy, Shift, clear_of
from holdfast.kernel.actor import require_visible, works_at
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import Forbidden, NotFound, VersionConflict
from holdfast.kernel.money import format_money
from holdfast.kernel.span import Span
from holdfast.place.questions.answers import completed_answers
from holdfast.place.venue import Resource, Venue

# Only the assignment pipeline sets these.
PIPELINE = frozenset(
    {
        Status.CAPACITY_VERIFIED,
        Status.ASSIGNMENT_PENDING,
        Status.ASSIGNMENT_IN_PROGRESS,
        Status.ASSIGNMENT_FAILED,
    }
)


THERE = frozenset({Status.CHECKED_IN, Status.COMPLETED})
"""The party is or was there, so it has a resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A requested step. `expected_version`: the version of the booking that the caller saw. `answers`: those that are
    given as a hold becomes a booking, by id of the question; None: none can be given with this step."""

    booking_id: UUID
    to: Status
    expected_version: int
    reason: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Any] | None = None


async def move(tx: Tx, asked: Move, *, venue: Venue) -> Booking:
    """Takes the step, writes its history, event and claims, and returns the booking. A step that was taken at the
    expected version is not taken again: it returns the booking as it is.

    Runs under the lock of `venue`, the booking's venue. Raises NotFound, VersionConflict, InvalidTransition,
    Forbidden, and NotAvailable or ExtraNotAvailable (if the booking needs its place again, and there is none, or there
    are too few of its extras).
    """
    booking = await store.get(tx, venue.tenant_id, asked.booking_id, for_update=True)
    return (
        booking if await _is_done(tx, booking, asked, venue) else await take(tx, booking, asked, venue=venue)
    )


async def take(tx: Tx, booking: Booking, asked: Move, *, venue: Venue) -> Booking:
    """Takes the step of a booking that the caller has locked. Otherwise like `move`."""
    return (await _write(tx, [(booking, _step(tx, booking, asked, venue))], venue))[0]


async def _is_done(tx: Tx, booking: Booking, asked: Move, venue: Venue) -> bool:
    """Whether the booking has the status because of a step taken at the version that the caller saw."""
    if booking.status is not asked.to:
        return False
    require_visible(booking, tx.actor)
    step = await queries.step_after(tx, booking, asked.expected_version)
    if step is None or step[1] is not asked.to:
        return False
    require_right(tx, replace(booking, status=step[0]), asked.to, venue)
    return True


async def move_set(tx: Tx, asked: Sequence[Move], *, venue: Venue) -> list[Booking]:
    """Takes all of these steps, or none, and returns the bookings in request order.

    For moving many bookings of one venue at once: three round trips for all of them. Raises like `move`, for the
    first step that is refused.
    """
    locked = await store.of_ids(tx, {(venue.tenant_id, each.booking_id) for each in asked})
    found = {booking.id: booking for booking in locked}
    pairs: list[tuple[Booking, Step]] = []
    for each in asked:
        before = found.pop(each.booking_id, None)
        if before is None:
            raise NotFound(f"There is no booking {each.booking_id}, or it is listed twice.")
        pairs.append((before, _step(tx, before, each, venue)))
    return await _write(tx, pairs, venue)


def _step(tx: Tx, booking: Booking, asked: Move, venue: Venue) -> Step:
    check_version(tx, booking, asked.expected_version)
    check_step(booking.status, asked.to)
    require_right(tx, booking, asked.to, venue)
    changes: dict[str, Any] = {}
    metadata = dict(asked.metadata)
    if asked.to is Status.CANCELLED:
        changes = {"cancellation_reason": asked.reason, "cancelled_by": str(tx.actor)}
        metadata |= fee_of(booking, venue, tx, of_minor=booking.total_minor)
    if booking.status is Status.HELD and asked.to is initial_status(venue.policy, hold=False):
        changes = {"details": _answered(tx, booking, asked, venue)}
    after = moved(booking, asked.to, policy=venue.policy, now=tx.now, **changes)
    return Step(
        booking=after,
        from_status=booking.status,
        action=ACTIONS.get(asked.to, "status"),
        actor=str(tx.actor),
        reason=asked.reason,
        metadata=metadata,
        traceparent=tx.traceparent,
    )


def _answered(tx: Tx, booking: Booking, asked: Move, venue: Venue) -> Details:
    """Returns the details of a hold that becomes a booking, with its answers. Guests have to answer what a new booking
    would ask them, with this step or before; so do staff, where the step takes answers. Raises InvalidRequest."""
    is_staff = tx.actor.is_staff
    if (asked.answers is None and is_staff) or not (venue.questions or asked.answers):
        return booking.details
    there = [venue.resources[each] for each in booking.resource_ids if each in venue.resources]
    if booking.is_unbound:  # whichever of its type it will be
        there = [each for each in venue.resources.values() if booking.preferences.accepts(each)]
    answers = completed_answers(
        venue,
        asked.answers or {},
        booking.details.answers,
        resources=there,
        slot_id=booking.slot_id,
        is_staff=is_staff,
    )
    return replace(booking.details, answers=answers)


def check_version(tx: Tx, booking: Booking, expected_version: int) -> None:
    """Checks that the actor may see the booking, that it has the expected version, and that it has not expired.

    Raises NotFound, VersionConflict, InvalidTransition.
    """
    require_visible(booking, tx.actor)
    if booking.version != expected_version:
        raise VersionConflict(
            f"The booking is at version {booking.version}, not {expected_version}: "
            "read it again and repeat the change with its current version.",
            current_version=booking.version,
        )
    if booking.status in states.EXPIRING and booking.expires_at and booking.expires_at <= tx.now:
        raise InvalidTransition(
            f"This booking expired at {booking.expires_at.isoformat()}. Make a new one.",
            **{"from": Status.EXPIRED, "to": None, "allowed": []},
        )


def require_right(tx: Tx, booking: Booking, to: Status, venue: Venue) -> None:
    """Raises Forbidden unless the actor may take the step. Staff may take any that is not the pipeline's; guests may
    cancel and confirm a hold."""
    if to in PIPELINE and tx.actor.kind != "system":
        raise Forbidden(f"{to} is set only by the assignment pipeline.")
    if works_at(tx.actor, booking.tenant_id, booking.venue_id):
        return
    onward = initial_status(venue.policy, hold=False)
    if to is not Status.CANCELLED and not (booking.status is Status.HELD and to is onward):
        raise Forbidden(f"Guests can cancel a booking or turn a hold into {onward}. Ask the venue for {to}.")


def fee_of(booking: Booking, venue: Venue, tx: Tx, *, of_minor: int) -> dict[str, str]:
    """Returns the fee for cancelling after the cut-off, for the history. `of_minor`: the price of what is cancelled, in
    minor units. Staff cancel without a fee, and cancelling a hold is free: nothing was booked yet."""
    policy = venue.policy
    if booking.status is Status.HELD:
        return {}
    late = tx.now > booking.start_at - timedelta(minutes=policy.cancellation_cutoff_minutes)
    if not late or not policy.cancellation_fee_percent or tx.actor.is_staff:
        return {}
    fee_minor = int(of_minor * policy.cancellation_fee_percent / 100)
    currency = booking.price.currency
    return {"cancellation_fee": format_money(fee_minor, currency), "currency": currency}


async def _write(tx: Tx, pairs: Sequence[tuple[Booking, Step]], venue: Venue) -> list[Booking]:
    """Writes the steps and returns the bookings after them. `pairs`: each booking before its step, and the step."""
    pairs = await _bound(tx, pairs, venue)
    left = [step for before, step in pairs if before.occupies and not step.booking.occupies]
    shift = await leave(tx, left, resources=venue.resources)
    for before, step in pairs:
        if step.booking.occupies:
            shift += await _occupy(tx, before, step.booking, venue)
    steps = [step for _, step in pairs]
    await store.save(tx, steps)
    await announce(tx, venue, shift, reason=steps[0].event_type if steps else "")
    return [step.booking for step in steps]


async def _bound(
    tx: Tx, pairs: Sequence[tuple[Booking, Step]], venue: Venue
) -> Sequence[tuple[Booking, Step]]:
    """Gives each party that is there now the resource that its booking of a type is on."""
    late = {before.id for before, step in pairs if before.is_unbound and step.booking.status in THERE}
    if not late:
        return pairs
    found = await claims.bind(tx, tenant_id=venue.tenant_id, owner_ids=late)
    return [
        (before, replace(step, booking=replace(step.booking, resource_ids=(found[before.id],))))
        if before.id in found
        else (before, step)
        for before, step in pairs
    ]


async def _occupy(tx: Tx, before: Booking, after: Booking, venue: Venue) -> Shift:
    if before.occupies:
        return await claiming.follow(tx, before, after)
    prepared = prepared_at(wanted_anew(after, tx.actor), venue, after.span, after.slot_id)
    if after.extras:
        await _check_extras(tx, after, prepared)
    return await claiming.occupy(tx, after, prepared) + claiming.arriving(after=[after])


async def _check_extras(tx: Tx, after: Booking, prepared: Prepared) -> None:
    """Checks that there are enough of its extras for a booking that gets a place again: others may have taken them
    meanwhile. What is no longer sold is not counted. Raises ExtraNotAvailable."""
    sold = {each.id for each in prepared.venue.policy.extras}
    extras = tuple((each.id, each.quantity) for each in after.extras if each.id in sold)
    asked = with_sale(replace(prepared, wanted=replace(prepared.wanted, extras=extras, discount_code=None)))
    (await read_sales(tx, [asked])).check_stock(asked.venue, asked.span, asked.sale, but=after.id)


async def leave(tx: Tx, steps: Sequence[Step], *, resources: Mapping[UUID, Resource] | None = None) -> Shift:
    """Frees the claims of the bookings that these steps ended, except for the time needed for cleaning.

    If the party was there, the buffer after its visit stays claimed, counted from when it left. Other claims are not
    affected: cleaning ends where the next claim begins, or moves to a unit that is free for longer, if `resources`
    says the resource has several. Runs under the locks of the venues. The caller announces the returned shift.
    """
    freed = await claims.free(tx, [(each.booking.tenant_id, each.booking.id) for each in steps])
    of, gone = {each.booking.id: each for each in steps}, [each.booking.arriving for each in steps]
    wanted = [each for claim in freed if (each := _cleaning(of[claim.owner_id], claim, now=tx.now))]
    if not wanted:
        return Shift(freed, gone=gone)
    around = await claims.overlapping(tx, [(each.tenant_id, each.resource_id, each.span) for each in wanted])
    standing = [each for each in around if each.stands(tx.now)]
    taken: list[Claim] = []
    for each in wanted:
        resource = (resources or {}).get(each.resource_id)
        if fits := clear_of(each, standing + taken, units=resource.units if resource else 0):
            taken.append(fits)
    evicted = await evict_expired_holds(tx, taken, Occupancy.of(around, now=tx.now))
    await claims.take(tx, taken)
    return Shift(freed, taken, gone=gone) + evicted


def _cleaning(step: Step, claim: Claim, *, now: datetime) -> Claim | None:
    """Returns the cleaning claim that replaces the claim; None if nobody was there or no cleaning time is left.

    Its length is the buffer the booking was made with: the venue's policy may have changed since.
    """
    booking = step.booking
    was_there = step.from_status is Status.CHECKED_IN or booking.status is Status.COMPLETED
    left_at = booking.completed_at or booking.cancelled_at
    if not was_there or left_at is None:
        return None
    end = left_at + (claim.span.end - booking.end_at)
    if end <= max(left_at, now):
        return None
    return replace(claim, span=Span(left_at, end), owner_kind=CLEANING)
