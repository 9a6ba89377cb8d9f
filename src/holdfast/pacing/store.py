"""The queries for who arrives around some time."""

from __future__ import annotations

from uuid import UUID

from holdfast.kernel.db.tx import Tx
from holdfast.kernel.span import Span
from holdfast.pacing.arrived import Arrived
from holdfast.pacing.limits import PACING_WINDOW, REACH, is_paced
from holdfast.place.venue import Venue

ARRIVING = (
    "HELD",
    "PENDING",
    "PENDING_APPROVAL",
    "ASSIGNMENT_IN_PROGRESS",
    "RESERVED",
    "CONFIRMED",
    "CHECKED_IN",
)
"""Whoever has a booking in one of these statuses arrives: those that occupy something."""


def arrived_in(first: str, last: str) -> str:
    """Returns the SELECT of who arrives from one instant until before another, at venue $2 of tenant $1, together if at
    the same time, with the same slot and source. The arguments are SQL. Holds that have expired count."""
    return f"""
    SELECT start_at AS start, slot_id, source, sum(party_size) AS covers, count(*) AS parties
      FROM booking
     WHERE tenant_id = $1 AND venue_id = $2 AND start_at >= {first} AND start_at < {last}
       AND status = ANY ('{{{",".join(ARRIVING)}}}')"""


GROUPED = " GROUP BY start_at, slot_id, source"
STANDING = arrived_in("$3", "$4") + GROUPED
ARRIVED = f"""{arrived_in("$3", "$4")}
       AND (expires_at IS NULL OR expires_at > $5) AND id IS DISTINCT FROM $6 {GROUPED}"""


async def read_arrived(tx: Tx, venue: Venue, span: Span, *, but: UUID | None = None) -> Arrived:
    """Returns who arrives around the span, as far as that counts for a start in it. Empty, without a query, if the
    venue's policy has no pacing. `but`: a booking that does not count."""
    if not is_paced(venue):
        return Arrived()
    around = counted_around(venue, span)
    return Arrived.of(await tx.fetch(ARRIVED, venue.tenant_id, venue.id, *around, tx.now, but))


async def read_standing(tx: Tx, venue: Venue, span: Span) -> Arrived:
    """Returns the same for the live picture, where an expired hold counts until it is swept."""
    if not is_paced(venue):
        return Arrived()
    return Arrived.of(await tx.fetch(STANDING, venue.tenant_id, venue.id, *counted_around(venue, span)))


def counted_around(venue: Venue, span: Span) -> Span:
    """Returns the arrivals that can count for a start in the span."""
    reach = REACH if venue.policy.pacing else PACING_WINDOW
    return Span(span.start - reach, span.end + reach)
