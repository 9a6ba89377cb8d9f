"""What is read before a plan is made, with no lock held."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from holdfast.channel import store as channels
from holdfast.channel.names import BOOKINGS
from holdfast.kernel.slices import Slices
from holdfast.kernel.span import Span
from holdfast.kernel.tx import Tx
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.waitlist import queue_store
from holdfast.waitlist.answer import is_unsettled
from holdfast.waitlist.model import ENTRIES_MAX, Entry

ENTRIES_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Overview:
    """Whether former offers are to be settled, and the time to come in which each who waits would be there."""

    venue: Venue
    unsettled: bool
    windows: list[Span]


@dataclass(frozen=True, slots=True)
class Queue:
    """Who waits for a visit in some piece of time, in order. `version`: of the venue's channel of bookings, read
    before them."""

    venue: Venue
    version: int
    entries: list[Entry]


async def see_venue(tx: Tx, venue_id: UUID, *, places: Places) -> Venue | None:
    """The venue as it is by now; None for one that is not there."""
    kept = places.at_hand(venue_id)
    if kept is None:
        return (await places.reload(tx, [venue_id])).get(venue_id)
    return await places.current(tx, kept)


async def see_overview(tx: Tx, venue_id: UUID, *, places: Places) -> Overview | None:
    """Of a venue; None for one that is not there."""
    venue = await see_venue(tx, venue_id, places=places)
    if venue is None:
        return None
    windows = await queue_store.windows(tx, venue, limit=ENTRIES_MAX)
    to_come = [Span(max(each.start, tx.now), each.end) for each in windows if each.end > tx.now]
    return Overview(venue, await is_unsettled(tx, venue), to_come)


async def see_queue(tx: Tx, venue_id: UUID, piece: Span, *, places: Places) -> Queue | None:
    """Of a venue; None where nobody waits."""
    venue = await see_venue(tx, venue_id, places=places)
    if venue is None:
        return None
    version = await channels.version(tx, tenant_id=venue.tenant_id, venue_id=venue.id, name=BOOKINGS)
    entries: list[Entry] = []
    slices, page = Slices(), None
    while page is None or (len(page) == ENTRIES_AT_ONCE and len(entries) < ENTRIES_MAX):
        after = entries[-1].seq if entries else 0
        page = await queue_store.waiting(tx, venue, piece, after=after, limit=ENTRIES_AT_ONCE)
        entries += page
        await slices.rest()
    return Queue(venue, version, entries) if entries else None
