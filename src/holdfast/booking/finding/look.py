"""Reads what a search needs: claims, arrivals, and what binds the asker."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from holdfast.assigning.choose import claimed_by
from holdfast.booking.finding.search import Outlook
from holdfast.booking.making.usage_store import allowance
from holdfast.booking.said import GUEST, Asker
from holdfast.claim import store as claims
from holdfast.claim.model import NEVER, Occupancy, Probe, claimed_span
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.span import Span
from holdfast.pacing.store import read_arrived
from holdfast.place.venue import Resource, Venue

RESOURCES_AT_ONCE = 16
"""How many resources one statement reads claims for; months of claims at a large venue are a lot of rows."""


async def look(
    tx: Tx,
    venue: Venue,
    sets: Iterable[tuple[Resource, ...]],
    span: Span,
    asker: Asker = GUEST,
    *,
    but: UUID | None = None,
    is_type: bool = False,
) -> Outlook:
    """Reads what a search of these sets needs, for bookings that start and end within the span. `asker`: for whom it
    searches. `but`: a booking that does not count. `is_type`: a type is asked for, so that it may be promised; then it
    reads all that is to come of types that are bound late."""
    resources, slices = claimed_by(sets), Slices()
    occupancy, is_late = Occupancy(tx.now), is_type and venue.policy.bind_group != "at_once"
    for first in range(0, len(resources), RESOURCES_AT_ONCE):
        page = resources[first : first + RESOURCES_AT_ONCE]
        probes = [_probe(venue, each, span, now=tx.now, is_late=is_late) for each in page]
        found = await claims.overlapping(tx, probes)
        occupancy.learn([each for each in found if each.owner_id != but], probes if is_late else ())
        await slices.rest()
    arrived = await read_arrived(tx, venue, span, but=but)
    may = await allowance(tx, venue, asker, span, but=but) if venue.policy.fair_use else None
    return Outlook(venue, tx.now, occupancy, arrived, asker, may)


def _probe(venue: Venue, resource: Resource, span: Span, *, now: datetime, is_late: bool) -> Probe:
    claimed = claimed_span(resource, span)
    if is_late and resource.group is not None:
        claimed = Span(min(now, claimed.start), NEVER)
    return venue.tenant_id, resource.id, claimed


def with_buffers_of_wholes(venue: Venue, span: Span) -> Span:
    """Returns the span, widened by the longest buffers of wholes: their leaves may have shorter ones of their own."""
    wholes = {each.id: each for of in venue.wholes.values() for each in of}.values()
    before = max((each.buffer_before_minutes for each in wholes), default=0)
    after = max((each.buffer_after_minutes for each in wholes), default=0)
    return Span(span.start - timedelta(minutes=before), span.end + timedelta(minutes=after))
