"""The queue of a venue, page by page."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.kernel.tx import Tx
from holdfast.place.venue import Venue
from holdfast.waitlist import queue_store, store
from holdfast.waitlist.model import Entry, EntryStatus
from holdfast.waitlist.store import READ_COLUMNS, Offer

SEQ_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry as it is shown: with its position, and its offer while that is open."""

    entry: Entry
    position: int | None
    offer: Offer | None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the list; `next`: the `seq` to go on from, None at the end."""

    items: list[Seen]
    next: int | None


# Two indexes that share no row: the queue is never looked for among all who ever waited.
_OF_VENUE = f"""
    SELECT {READ_COLUMNS} FROM waitlist_entry AS e
     WHERE e.tenant_id = $1 AND e.venue_id = $2 AND e.seq > $3 AND ($4::text IS NULL OR e.status = $4)
"""
OPEN = f"{_OF_VENUE} AND e.status IN ('WAITING', 'OFFERED') ORDER BY e.seq LIMIT $5"
CLOSED = f"{_OF_VENUE} AND e.status IN ('ACCEPTED', 'DECLINED', 'LAPSED', 'LEFT') ORDER BY e.seq LIMIT $5"
ARE_OPEN = frozenset({EntryStatus.WAITING, EntryStatus.OFFERED})


async def of_venue(tx: Tx, venue: Venue, *, status: EntryStatus | None, after: int, limit: int) -> Page:
    """The venue's entries in the order of its queue, those that are no longer in it too."""
    asked = (OPEN, CLOSED) if status is None else (OPEN,) if status in ARE_OPEN else (CLOSED,)
    rows = [
        row
        for sql in asked
        for row in await tx.fetch(sql, venue.tenant_id, venue.id, after, status, limit + 1)
    ]
    rows.sort(key=lambda row: row["seq"])
    entries = [store.from_row(row) for row in rows[:limit]]
    return Page(await _seen(tx, entries), entries[-1].seq if len(rows) > limit else None)


async def _seen(tx: Tx, entries: list[Entry]) -> list[Seen]:
    offers = await store.offers(tx, entries)
    first = next((each for each in entries if each.status is EntryStatus.WAITING), None)
    position = 0 if first is None else (await queue_store.position(tx, first) or 1) - 1
    seen: list[Seen] = []
    for entry in entries:
        waits = entry.status is EntryStatus.WAITING
        position += waits  # nobody who waits stands between two of them: a page leaves none out
        offer = None if entry.booking_id is None else offers.get(entry.booking_id)
        seen.append(Seen(entry, position if waits else None, offer))
    return seen


async def see(tx: Tx, entry: Entry) -> Seen:
    """One entry as it is shown."""
    return (await _seen(tx, [entry]))[0]
