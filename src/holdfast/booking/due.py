"""Ends bookings when their time comes: holds and requests expire, no-shows are marked, visits complete.

Each tick here is bounded. It locks the bookings that are due and skips those that another worker has locked, so any
number of workers can run it, and run it again. It holds the locks of the venues whose resources it frees, so that
their channels get the events in commit order. Workers run it for one tenant at a time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from holdfast.booking import store
from holdfast.booking.model import ACTIONS, Booking, Step, ended
from holdfast.booking.states import EXPIRING, Status
from holdfast.channel.announce import announce
from holdfast.channel.store import maybe_open
from holdfast.claim import store as claims
from holdfast.claim.model import CLEANING, Claim, Occupancy, Shift, clear_of
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx, lock_key, lock_some
from holdfast.kernel.span import Span
from holdfast.place.store import load_venues
from holdfast.place.venue import Resource

# The reason in the history: by the old status for what expired, by the new status for the rest.
REASONS = {
    Status.HELD: "The hold was not converted in time.",
    Status.PENDING: "It was not paid in time.",
    Status.PENDING_APPROVAL: "It was not decided in time.",
    Status.NO_SHOW: "Nobody checked in before the end of the grace period.",
    Status.COMPLETED: "The booked time is over.",
}
EXPIRE = tuple(sorted(EXPIRING))
NO_SHOW = (Status.RESERVED, Status.CONFIRMED)
COMPLETE = (Status.CHECKED_IN,)


async def expire(tx: Tx, limit: int) -> int:
    """Expires up to `limit` holds, unpaid bookings and undecided requests. Returns the number expired."""
    return await _end(tx, await _due(tx, EXPIRE, limit=limit), Status.EXPIRED)


async def no_show(tx: Tx, limit: int) -> int:
    """Marks up to `limit` bookings as no-shows and frees their claims. Returns the number marked."""
    return await _end(tx, await _due(tx, NO_SHOW, limit=limit), Status.NO_SHOW)


async def complete(tx: Tx, limit: int) -> int:
    """Completes up to `limit` visits whose time is over. Returns the number completed."""
    return await _end(tx, await _due(tx, COMPLETE, limit=limit), Status.COMPLETED)


def tenants_with(statuses: Sequence[Status]) -> Callable[[Tx, int], Awaitable[list[UUID]]]:
    """Returns a verb that lists the tenants of the `limit` bookings in these statuses that are longest overdue."""

    async def due_tenants(tx: Tx, limit: int) -> list[UUID]:
        due = await store.due_venues(tx, statuses, limit=limit)
        return list(dict.fromkeys(tenant_id for tenant_id, _ in due))

    return due_tenants


async def _due(tx: Tx, statuses: Sequence[Status], *, limit: int) -> list[Booking]:
    """Returns due bookings, locked, of venues whose locks the transaction then holds.

    1. Ask which venues have due bookings, without writing: a transaction gets its place in the commit order with
       its first write, and must not write before it has the lock.
    2. Take the locks that are free at once. If none is, wait for the lock of the venue that is longest overdue.
    3. Lock the due bookings of these venues, and skip those that another transaction has locked.
    """
    venues = await store.due_venues(tx, statuses, limit=limit)
    if not venues:
        return []
    keys = {lock_key(id_): id_ for _, id_ in venues}
    locked = await lock_some(tx, list(keys))
    return await store.due(tx, statuses, venue_ids=[keys[key] for key in locked], limit=limit)


async def evict_expired_holds(tx: Tx, claims_wanted: Iterable[Claim], occupancy: Occupancy) -> Shift:
    """Expires the holds in the way of these claims whose time is over but which no tick has expired yet.

    Runs under the locks of the venues. The caller announces the returned shift together with its own.
    """
    in_the_way = occupancy.expired_in_the_way(claims_wanted)
    if not in_the_way:
        return Shift()
    found = await store.of_ids(tx, in_the_way)
    past = [
        each for each in found if each.status in EXPIRING and each.expires_at and each.expires_at <= tx.now
    ]
    steps = _steps(tx, past, Status.EXPIRED)
    await store.save(tx, steps)
    return await leave(tx, steps)


async def leave(tx: Tx, steps: Sequence[Step], *, resources: Mapping[UUID, Resource] | None = None) -> Shift:
    """Frees the claims of the bookings that these steps ended, except for the time needed for cleaning.

    If the party was there, the buffer after its visit stays claimed, counted from when it left. Other claims are not
    affected: cleaning ends where the next claim begins, or moves to a unit that is free for longer, if `resources`
    says the resource has several. Runs under the locks of the venues. The caller announces the returned shift.
    """
    freed = await claims.free(tx, [(each.booking.tenant_id, each.booking.id) for each in steps])
    of = {each.booking.id: each for each in steps}
    wanted = [each for claim in freed if (each := _cleaning(of[claim.owner_id], claim, now=tx.now))]
    if not wanted:
        return Shift(freed)
    around = await claims.overlapping(tx, [(each.tenant_id, each.resource_id, each.span) for each in wanted])
    standing = [each for each in around if each.stands(tx.now)]
    taken: list[Claim] = []
    for each in wanted:
        resource = (resources or {}).get(each.resource_id)
        if fits := clear_of(each, standing + taken, units=resource.units if resource else 0):
            taken.append(fits)
    evicted = await evict_expired_holds(tx, taken, Occupancy.of(around, now=tx.now))
    await claims.take(tx, taken)
    return Shift(freed, taken) + evicted


def _cleaning(step: Step, claim: Claim, *, now: datetime) -> Claim | None:
    """The cleaning claim that replaces the claim; None if nobody was there, or no cleaning time is left.

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


async def _end(tx: Tx, bookings: Sequence[Booking], to: Status) -> int:
    steps = _steps(tx, bookings, to)
    await store.save(tx, steps)
    shift = await leave(tx, steps)
    changes = [(each.booking.tenant_id, each.booking.venue_id, each.booking.span) for each in steps]
    if steps and (venue_ids := await maybe_open(tx, changes)):
        for venue in (await load_venues(tx, sorted(venue_ids))).values():
            await announce(tx, venue, shift, reason=steps[0].event_type)
    return len(steps)


def _steps(tx: Tx, bookings: Sequence[Booking], to: Status) -> list[Step]:
    return [
        Step(
            booking=_ended(tx, booking, to),
            from_status=booking.status,
            action=ACTIONS[to],
            actor=str(SYSTEM),  # not the transaction's actor: the booking ended by itself
            reason=REASONS[booking.status if to is Status.EXPIRED else to],
        )
        for booking in bookings
    ]


def _ended(tx: Tx, booking: Booking, to: Status) -> Booking:
    # A visit that is completed by a tick ended at its booked end, however late the tick runs: otherwise the buffer
    # would reach into time that may already be booked. If the party checked in after the booked end, its visit
    # ended when it checked in.
    left_at = max(booking.end_at, booking.checked_in_at or booking.end_at)
    return ended(booking, to, now=tx.now, **({"completed_at": left_at} if to is Status.COMPLETED else {}))
