"""Reads from the ledger when many resources are free, and nothing else about their claims."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from holdfast.claim.free_times import FreeTimes
from holdfast.claim.model import claimed_span, columns
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource

# As arrays of times: a month at a large venue has more than a hundred thousand claims. Units that a resource no longer
# has are left out by the reader: to join what was asked here took the square of the number of resources.
BUSY = """
    SELECT found.resource_id, found.unit, array_agg(found.start_at ORDER BY found.start_at) AS starts,
           array_agg(found.end_at ORDER BY found.start_at) AS ends
      FROM claims_overlapping($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[]) AS found
     WHERE (found.expires_at IS NULL OR found.expires_at > $5) AND found.owner_id IS DISTINCT FROM $6
     GROUP BY found.resource_id, found.unit
"""


async def read_free_times(
    tx: Tx, tenant_id: UUID, resources: Sequence[Resource], span: Span, *, but: UUID | None = None
) -> dict[UUID, FreeTimes]:
    """Returns when each of the resources (without duplicates) is free for bookings within the span. `but`: the owner of
    claims that do not count."""
    probes = ((tenant_id, each.id, claimed_span(each, span)) for each in resources)
    rows = await tx.fetch(BUSY, *columns(probes), tx.now, but)
    units = {each.id: each.units for each in resources}
    busy: dict[UUID, tuple[list[datetime], list[datetime]]] = {}
    for resource_id, unit, starts, ends in rows:
        if unit <= units[resource_id]:
            taken = busy.setdefault(resource_id, ([], []))
            taken[0].extend(starts)
            taken[1].extend(ends)
    return {each.id: FreeTimes(each, *busy.get(each.id, ([], []))) for each in resources}
