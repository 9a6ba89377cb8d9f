"""Statements that read the queue: the open entries, in order."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from holdfast.booking.states import Status
from holdfast.kernel.db.tx import Tx, plain_id
from holdfast.kernel.span import Span
from holdfast.place.venue import Venue
from holdfast.waitlist.model import Entry, EntryStatus
from holdfast.waitlist.store import READ_COLUMNS, from_row

# The status is a literal, so that the planner can tell that the partial index of open entries covers it. ORDER BY the
# order of that index, even where order doesn't matter, makes the planner use it.
POSITION = """
    SELECT count(*) FROM (
        SELECT FROM waitlist_entry
         WHERE tenant_id = $1 AND venue_id = $2 AND status = 'WAITING' AND seq <= $3
         ORDER BY seq OFFSET 0) AS waiting
"""


async def position(tx: Tx, entry: Entry) -> int | None:
    """Returns its place among the venue's waiting entries, 1 for the first; None if it isn't waiting."""
    if entry.status is not EntryStatus.WAITING:
        return None
    return await tx.fetchval(POSITION, entry.tenant_id, entry.venue_id, entry.seq)


OPEN = """
    SELECT count(*) AS everybody, count(*) FILTER (WHERE guest_id = $3::text) AS own,
           count(*) FILTER (WHERE joined_ip = $4::text::inet) AS here
      FROM (SELECT guest_id, joined_ip FROM waitlist_entry
             WHERE tenant_id = $1 AND venue_id = $2 AND status IN ('WAITING', 'OFFERED')
             ORDER BY seq OFFSET 0) AS are_open
"""


async def count_open(tx: Tx, venue: Venue, *, guest_id: str | None, ip: str | None) -> tuple[int, int, int]:
    """Returns the number of open entries at the venue: in total, of the guest, and from the address."""
    row = await tx.fetchrow(OPEN, venue.tenant_id, venue.id, guest_id, ip)
    assert row is not None
    return row["everybody"], row["own"], row["here"]


# One probe of the index for each venue, however many entries it has.
OPEN_VENUES = """
    WITH RECURSIVE found AS (
        (SELECT tenant_id, venue_id FROM waitlist_entry WHERE status IN ('WAITING', 'OFFERED')
          ORDER BY tenant_id, venue_id LIMIT 1)
         UNION ALL
        SELECT following.* FROM found, LATERAL (
            SELECT tenant_id, venue_id FROM waitlist_entry
             WHERE status IN ('WAITING', 'OFFERED')
               AND (tenant_id, venue_id) > (found.tenant_id, found.venue_id)
             ORDER BY tenant_id, venue_id LIMIT 1) AS following
    )
    SELECT tenant_id, venue_id FROM found LIMIT $1
"""


async def open_venues(tx: Tx, *, limit: int) -> list[tuple[UUID, UUID]]:
    """Returns (tenant, venue) for each venue with open entries, always in the same order."""
    rows = await tx.fetch(OPEN_VENUES, limit)
    return [(plain_id(row["tenant_id"]), plain_id(row["venue_id"])) for row in rows]


_WAITING = """
     FROM waitlist_entry AS e
     WHERE e.tenant_id = $1 AND e.venue_id = $2 AND e.status = 'WAITING'
       AND e.earliest_at < $4 AND e.latest_at + make_interval(mins => e.duration_minutes) > $3
"""
WAITING = f"SELECT {READ_COLUMNS} {_WAITING} AND e.seq > $5 ORDER BY e.seq LIMIT $6"


async def waiting(tx: Tx, venue: Venue, around: Span, *, after: int, limit: int) -> list[Entry]:
    """Returns up to `limit` entries that wait for a visit that could touch the span, in queue order, after the `seq`
    `after`."""
    rows = await tx.fetch(WAITING, venue.tenant_id, venue.id, around.start, around.end, after, limit)
    return [from_row(row) for row in rows]


IN_LINE = f"SELECT e.seq, e.version {_WAITING} AND e.seq <= $5 ORDER BY e.seq"


async def in_line(tx: Tx, venue: Venue, around: Span, *, up_to: int) -> list[tuple[int, int]]:
    """Returns `seq` and version of each entry that waits for such a visit, in queue order, up to the `seq` `up_to`."""
    rows = await tx.fetch(IN_LINE, venue.tenant_id, venue.id, around.start, around.end, up_to)
    return [(row["seq"], row["version"]) for row in rows]


WINDOWS = """
    SELECT earliest_at, latest_at + make_interval(mins => duration_minutes) AS end_at FROM waitlist_entry
     WHERE tenant_id = $1 AND venue_id = $2 AND status = 'WAITING' AND latest_at >= $3
     ORDER BY seq
     LIMIT $4
"""


async def windows(tx: Tx, venue: Venue, *, limit: int) -> list[Span]:
    """Returns the span in which the visit could be, for each waiting entry."""
    rows = await tx.fetch(WINDOWS, venue.tenant_id, venue.id, tx.now, limit)
    return [Span(row["earliest_at"], row["end_at"]) for row in rows]


OVER = f"""
    SELECT {READ_COLUMNS} FROM waitlist_entry AS e
     WHERE e.tenant_id = $1 AND e.venue_id = $2 AND e.status = 'WAITING' AND e.latest_at < $3
     ORDER BY e.seq
     LIMIT $4
"""


async def over(tx: Tx, venue: Venue, *, limit: int) -> list[Entry]:
    """Returns waiting entries whose window is over."""
    return [from_row(row) for row in await tx.fetch(OVER, venue.tenant_id, venue.id, tx.now, limit)]


# LATERAL with OFFSET 0: one index probe for each offer, whatever table sizes the planner assumes.
ANSWERED = f"""
    SELECT {READ_COLUMNS}, b.status AS booking_status, b.expires_at AS booking_expires_at
      FROM waitlist_entry AS e,
           LATERAL (SELECT status, expires_at FROM booking
                     WHERE booking.tenant_id = e.tenant_id AND booking.id = e.booking_id OFFSET 0) AS b
     WHERE e.tenant_id = $1 AND e.venue_id = $2 AND e.status = 'OFFERED'
       AND (b.status <> 'HELD' OR b.expires_at <= $3)
     ORDER BY e.seq
     LIMIT $4
"""


async def answered(tx: Tx, venue: Venue, *, limit: int) -> list[tuple[Entry, Status, datetime | None]]:
    """Returns entries whose offer is no longer open, with the status and the expiry of the booking."""
    rows = await tx.fetch(ANSWERED, venue.tenant_id, venue.id, tx.now, limit)
    return [(from_row(row), Status(row["booking_status"]), row["booking_expires_at"]) for row in rows]
