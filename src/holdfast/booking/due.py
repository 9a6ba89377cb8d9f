"""Ends bookings when they are due: holds and requests expire, no-shows are marked, visits complete.

Each tick here is bounded. It locks the bookings that are due and skips those that another worker has locked, so any
number of workers can run it, and run it again. It holds the locks of the venues whose resources it frees, so that
their channels get the events in commit order. Workers run it for one tenant at a time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import UUID

from holdfast.booking import queries, store
from holdfast.booking.making.claiming import arriving, ending_steps
from holdfast.booking.model import Booking
from holdfast.booking.move import leave
from holdfast.booking.states import EXPIRING, Status
from holdfast.channel.announce import announce
from holdfast.channel.store import days_of, maybe_open
from holdfast.kernel.db.tx import Tx, lock_key, lock_some
from holdfast.place.opening.nights import SHORTEST_REACHES_MAX
from holdfast.place.store import load_venues

NO_TIME = timedelta()
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
        due = await queries.due_venues(tx, statuses, limit=limit)
        return list(dict.fromkeys(tenant_id for tenant_id, _ in due))

    return due_tenants


async def _due(tx: Tx, statuses: Sequence[Status], *, limit: int) -> list[Booking]:
    """Returns due bookings, locked, of venues whose locks the transaction then holds.

    1. Ask which venues have due bookings, without writing: a transaction gets its place in the commit order with
       its first write, and must not write before it has the lock.
    2. Take the locks that are free at once. If none is, wait for the lock of the venue that is longest overdue.
    3. Lock the due bookings of these venues, and skip those that another transaction has locked.
    """
    venues = await queries.due_venues(tx, statuses, limit=limit)
    if not venues:
        return []
    keys = {lock_key(id_): id_ for _, id_ in venues}
    locked = await lock_some(tx, list(keys))
    return await queries.due(tx, statuses, venue_ids=[keys[key] for key in locked], limit=limit)


async def _end(tx: Tx, bookings: Sequence[Booking], to: Status) -> int:
    steps = ending_steps(tx, bookings, to)
    await store.save(tx, steps)
    shift = await leave(tx, steps) + arriving(bookings)
    changes = [
        (each.tenant_id, each.venue_id, *days_of(each.span, SHORTEST_REACHES_MAX if each.nights else NO_TIME))
        for each in bookings
    ]
    if steps and (venue_ids := await maybe_open(tx, changes)):
        for venue in (await load_venues(tx, sorted(venue_ids))).values():
            await announce(tx, venue, shift, reason=steps[0].event_type)
    return len(steps)
