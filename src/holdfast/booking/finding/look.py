"""Reads what a search needs: claims and arrivals."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from holdfast.assigning.choose import claimed_by
from holdfast.booking.deciding import rules
from holdfast.booking.finding.search import Outlook
from holdfast.booking.states import OCCUPYING
from holdfast.claim import store as claims
from holdfast.claim.model import Occupancy, claimed_span
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource, Venue

RESOURCES_AT_ONCE = 16
"""How many resources one statement reads claims for; months of claims at a large venue are a lot of rows."""

COVERS = """
    SELECT start_at, sum(party_size) AS covers
      FROM booking
     WHERE tenant_id = $1 AND venue_id = $2 AND start_at >= $3 AND start_at < $4
       AND status = ANY ($5::text[]) AND (expires_at IS NULL OR expires_at > $6) AND id IS DISTINCT FROM $7
     GROUP BY start_at
"""


async def look(
    tx: Tx, venue: Venue, sets: Iterable[tuple[Resource, ...]], span: Span, *, but: UUID | None = None
) -> Outlook:
    """Reads what a search of these sets needs, for bookings that start and end within the span. `but`: a booking that
    does not count."""
    resources, slices = claimed_by(sets), Slices()
    occupancy = Occupancy(tx.now)
    for first in range(0, len(resources), RESOURCES_AT_ONCE):
        page = resources[first : first + RESOURCES_AT_ONCE]
        probes = ((venue.tenant_id, each.id, claimed_span(each, span)) for each in page)
        for claim in await claims.overlapping(tx, probes):
            if claim.owner_id != but:
                occupancy.add(claim)
        await slices.rest()
    return Outlook(venue, tx.now, occupancy, await read_covers(tx, venue, span, but=but))


async def read_covers(tx: Tx, venue: Venue, span: Span, *, but: UUID | None = None) -> dict[datetime, int]:
    """Returns the number of guests who arrive in each pacing window of the span. Empty, without a query, if the
    venue's policy has no pacing."""
    covers: dict[datetime, int] = {}
    if venue.policy.pacing_covers_max is not None:
        first, last = rules.pacing_window(span.start), span.end + rules.PACING_WINDOW
        rows = await tx.fetch(COVERS, venue.tenant_id, venue.id, first, last, list(OCCUPYING), tx.now, but)
        for row in rows:
            window = rules.pacing_window(row["start_at"])
            covers[window] = covers.get(window, 0) + row["covers"]
    return covers
