"""What time does to bookings: holds and requests expire, guests stay away, visits end.

Each verb here is a tick: bounded, it locks what is due and skips what others work on, so it is safe on any
number of workers, and to run again. It holds the locks of the venues it frees places of, so that their
channels tell of it in the order of commits; workers run it for one tenant after the other.
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

# Of what expired, by what it was; of the others, by what they became.
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
    """Expires up to `limit` holds, unpaid bookings and undecided requests; answers how many."""
    return await _end(tx, await _due(tx, EXPIRE, limit=limit), Status.EXPIRED)


async def no_show(tx: Tx, limit: int) -> int:
    """Marks up to `limit` bookings whose guests did not come, and frees their places; answers how many."""
    return await _end(tx, await _due(tx, NO_SHOW, limit=limit), Status.NO_SHOW)


async def complete(tx: Tx, limit: int) -> int:
    """Completes up to `limit` visits whose time is over; answers how many."""
    return await _end(tx, await _due(tx, COMPLETE, limit=limit), Status.COMPLETED)


def tenants_with(statuses: Sequence[Status]) -> Callable[[Tx, int], Awaitable[list[UUID]]]:
    """Tells whose bookings in these statuses are due: of the so many that are longest overdue."""

    async def due_tenants(tx: Tx, limit: int) -> list[UUID]:
        due = await store.due_venues(tx, statuses, limit=limit)
        return list(dict.fromkeys(tenant_id for tenant_id, _ in due))

    return due_tenants


async def _due(tx: Tx, statuses: Sequence[Status], *, limit: int) -> list[Booking]:
    """Bookings to be moved on now, of venues whose lock is held from here on.

    1. Ask, without writing, which venues have any: a transaction gets its place in the commit order with
       its first write, and must not have one before it has the lock.
    2. Take the locks that are free at once. Where none is, wait for that of the longest overdue.
    3. Lock the bookings of these venues; those that others work on are left out.
    """
    venues = await store.due_venues(tx, statuses, limit=limit)
    if not venues:
        return []
    keys = {lock_key(id_): id_ for _, id_ in venues}
    locked = await lock_some(tx, list(keys))
    return await store.due(tx, statuses, venue_ids=[keys[key] for key in locked], limit=limit)


async def evict_expired_holds(tx: Tx, claims_wanted: Iterable[Claim], occupancy: Occupancy) -> Shift:
    """Holds past their time, whose claims no tick has swept yet, make room for these claims now.

    Runs under the locks of the venues. To be announced by the caller, with what it takes.
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
    """Frees what the bookings occupied that these steps ended, but for the time in which it is cleaned.

    A party that was there leaves the buffer after its visit, from when it left: the place can't be given to
    anybody before. Neighbours keep what they have: cleaning ends where the next claim begins, or moves to a unit
    that is free for longer, as far as `resources` tells that there are others. Runs under the locks of the
    venues. To be announced by the caller.
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
    """What stays of the claim; None where nobody was, or where the time to clean is over or was none.

    How long that takes is what was agreed: the rules of today may be others.
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
            actor=str(SYSTEM),  # whoever is in the transaction: time did it
            reason=REASONS[booking.status if to is Status.EXPIRED else to],
        )
        for booking in bookings
    ]


def _ended(tx: Tx, booking: Booking, to: Status) -> Booking:
    # A visit that ends by itself ends when it was to, however late a tick looks: what was free after its buffer,
    # and may have been promised to somebody, stays free. Who came later than that was there when they came.
    left_at = max(booking.end_at, booking.checked_in_at or booking.end_at)
    return ended(booking, to, now=tx.now, **({"completed_at": left_at} if to is Status.COMPLETED else {}))
