"""The queries for who arrives around some time."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from holdfast.kernel.db.tx import Tx
from holdfast.kernel.span import Span, merged
from holdfast.pacing.arrived import Arrived
from holdfast.pacing.limits import PACING_WINDOW, REACH, is_paced
from holdfast.place.venue import Venue

COUNTED = (
    "HELD",
    "PENDING",
    "PENDING_APPROVAL",
    "ASSIGNMENT_IN_PROGRESS",
    "RESERVED",
    "CONFIRMED",
    "CHECKED_IN",
)
"""Whoever has a booking in one of these statuses arrives: those that occupy something."""


# Holds that have expired count, until they are swept.
STANDING = f"""
    SELECT start_at AS start, slot_id, source, sum(party_size) AS covers, count(*) AS parties
      FROM booking
     WHERE tenant_id = $1 AND venue_id = $2 AND start_at >= $3 AND start_at < $4
       AND status = ANY ('{{{",".join(COUNTED)}}}')
     GROUP BY start_at, slot_id, source
"""
ARRIVED = STANDING.replace(
    "GROUP BY", "AND (expires_at IS NULL OR expires_at > $5) AND id IS DISTINCT FROM $6 GROUP BY"
)


# LATERAL forces one probe of the index per input row, however far apart they are.
STANDING_NEAR = f"""
    SELECT found.* FROM unnest($3::timestamptz[], $4::timestamptz[]) AS near (from_at, to_at),
           LATERAL ({STANDING.replace("$3", "near.from_at").replace("$4", "near.to_at")}) AS found
"""


async def read_arrived(tx: Tx, venue: Venue, span: Span, *, but: UUID | None = None) -> Arrived:
    """Returns who arrives around the span, as far as that counts for a start in it. Empty, without a query, if the
    venue's policy has no pacing. `but`: a booking that does not count."""
    if not is_paced(venue):
        return Arrived()
    around = counted_around(venue, span)
    return Arrived.of(await tx.fetch(ARRIVED, venue.tenant_id, venue.id, *around, tx.now, but))


async def read_standing(tx: Tx, venue: Venue, spans: Iterable[Span]) -> Arrived:
    """Returns the same for the live picture, around any of the spans. An expired hold counts until it is swept."""
    if not is_paced(venue):
        return Arrived()
    near = merged(counted_around(venue, each) for each in spans)
    starts, ends = [each.start for each in near], [each.end for each in near]
    return Arrived.of(await tx.fetch(STANDING_NEAR, venue.tenant_id, venue.id, starts, ends))


def counted_around(venue: Venue, span: Span) -> Span:
    """Returns the arrivals that can count for a start in the span."""
    reach = REACH if venue.policy.pacing else PACING_WINDOW
    return Span(span.start - reach, span.end + reach)
