"""Reads from the ledger when many resources are free, and nothing else about their claims."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from holdfast.claim.free_times import FreeTimes
from holdfast.claim.model import claimed_span, columns
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource

# As arrays of times: a month at a large venue has more than a hundred thousand claims.
BUSY = """
    SELECT found.resource_id, array_agg(found.start_at ORDER BY found.start_at) AS starts,
           array_agg(found.end_at ORDER BY found.start_at) AS ends
      FROM claims_overlapping($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[]) AS found
      JOIN unnest($2::uuid[], $5::integer[]) AS asked (resource_id, units) USING (resource_id)
     WHERE found.unit <= asked.units AND (found.expires_at IS NULL OR found.expires_at > $6)
     GROUP BY found.resource_id
"""


async def read_free_times(
    tx: Tx, tenant_id: UUID, resources: Sequence[Resource], span: Span
) -> dict[UUID, FreeTimes]:
    """Returns when each of the resources (without duplicates) is free for bookings within the span."""
    probes = ((tenant_id, each.id, claimed_span(each, span)) for each in resources)
    rows = await tx.fetch(BUSY, *columns(probes), [each.units for each in resources], tx.now)
    busy = {row["resource_id"]: (row["starts"], row["ends"]) for row in rows}
    return {each.id: FreeTimes(each, *busy.get(each.id, ([], []))) for each in resources}
