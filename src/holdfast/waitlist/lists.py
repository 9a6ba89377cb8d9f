"""Reads the queue of a venue without a lock: page by page for the API, and as a whole for a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import Field

from holdfast.channel import store as channels
from holdfast.channel.names import BOOKINGS
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.paging import Keyset
from holdfast.kernel.span import Span
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.waitlist import queue_store, store
from holdfast.waitlist.answer import is_unsettled
from holdfast.waitlist.model import ENTRIES_MAX, Entry, EntryStatus
from holdfast.waitlist.store import READ_COLUMNS, OpenOffer

BY_SEQ: Keyset[int] = Keyset(Annotated[int, Field(ge=1, le=2**63 - 1)])
ENTRIES_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class EntryView:
    """An entry as it is shown: with its position, and with its offer while that is open."""

    entry: Entry
    position: int | None
    offer: OpenOffer | None


# Two indexes with no row in common, so that reading the queue never scans the entries that have left it.
_OF_VENUE = f"""
    SELECT {READ_COLUMNS} FROM waitlist_entry AS e
     WHERE e.tenant_id = $1 AND e.venue_id = $2 AND e.seq > $3 AND ($4::text IS NULL OR e.status = $4)
"""
OPEN = f"{_OF_VENUE} AND e.status IN ('WAITING', 'OFFERED') ORDER BY e.seq LIMIT $5"
CLOSED = f"{_OF_VENUE} AND e.status IN ('ACCEPTED', 'DECLINED', 'LAPSED', 'LEFT') ORDER BY e.seq LIMIT $5"
OPEN_STATUSES = frozenset({EntryStatus.WAITING, EntryStatus.OFFERED})


async def of_venue(
    tx: Tx, venue: Venue, *, status: EntryStatus | None, after: int, limit: int
) -> list[EntryView]:
    """Returns up to `limit` entries of the venue after `after`, in queue order, including those that have left the
    queue."""
    asked = (OPEN, CLOSED) if status is None else (OPEN,) if status in OPEN_STATUSES else (CLOSED,)
    rows = [
        row for sql in asked for row in await tx.fetch(sql, venue.tenant_id, venue.id, after, status, limit)
    ]
    rows.sort(key=lambda row: row["seq"])
    return await _views(tx, [store.from_row(row) for row in rows[:limit]])


async def _views(tx: Tx, entries: list[Entry]) -> list[EntryView]:
    offers = await store.offers(tx, entries)
    first = next((each for each in entries if each.status is EntryStatus.WAITING), None)
    position = 0 if first is None else (await queue_store.position(tx, first) or 1) - 1
    views: list[EntryView] = []
    for entry in entries:
        waits = entry.status is EntryStatus.WAITING
        position += waits  # a page leaves out no waiting entry between two of its own
        offer = None if entry.booking_id is None else offers.get(entry.booking_id)
        views.append(EntryView(entry, position if waits else None, offer))
    return views


async def view(tx: Tx, entry: Entry) -> EntryView:
    """Returns one entry as it is shown."""
    return (await _views(tx, [entry]))[0]


@dataclass(frozen=True, slots=True)
class Queue:
    """The entries that wait for a visit in some piece of time, in order. `version`: of the venue's channel `bookings`,
    read before the entries."""

    venue: Venue
    version: int
    entries: list[Entry]


async def read_venue(tx: Tx, venue_id: UUID, *, places: Places) -> Venue | None:
    """Returns the venue with its current rules, or None if it doesn't exist."""
    cached = places.at_hand(venue_id)
    if cached is None:
        return (await places.reload(tx, [venue_id])).get(venue_id)
    return await places.current(tx, cached)


async def read_overview(tx: Tx, venue_id: UUID, *, places: Places) -> tuple[Venue, bool, list[Span]] | None:
    """Returns the venue, whether any entries need settling, and for each waiting entry the future span in which its
    visit would be; or None if the venue doesn't exist."""
    venue = await read_venue(tx, venue_id, places=places)
    if venue is None:
        return None
    windows = await queue_store.windows(tx, venue, limit=ENTRIES_MAX)
    to_come = [Span(max(each.start, tx.now), each.end) for each in windows if each.end > tx.now]
    return venue, await is_unsettled(tx, venue), to_come


async def read_queue(tx: Tx, venue_id: UUID, piece: Span, *, places: Places) -> Queue | None:
    """Returns the venue's queue for this piece of time, or None if no entry waits for it."""
    venue = await read_venue(tx, venue_id, places=places)
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
