"""Removing units of a resource: moves claims off the removed units."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from holdfast.claim import store
from holdfast.claim.model import CLEANING, NEVER
from holdfast.claim.recolour import gathered
from holdfast.kernel.db.tx import Tx, plain_id
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.venue import Venue

# Served by the index of claim_never_overlaps, which begins with tenant and resource.
BEYOND = """
    SELECT DISTINCT claim.resource_id
      FROM claim
      JOIN resource ON resource.tenant_id = claim.tenant_id AND resource.id = claim.resource_id
     WHERE claim.tenant_id = $1 AND claim.resource_id = ANY ($2::uuid[]) AND claim.unit > resource.units
       AND upper(claim.during) > $3 AND claim.owner_kind <> 'cleaning' AND resource.removed_at IS NULL
"""


async def narrow(tx: Tx, venue: Venue, *, resource_ids: Collection[UUID]) -> None:
    """Moves current and future claims off units that these resources no longer have; cleaning may stay.

    Runs in the transaction of the change, under the lock of `venue`, which is as the transaction sees it. Safe to run
    again. Raises InvalidRequest if there is no room at the moment.
    """
    for row in await tx.fetch(BEYOND, venue.tenant_id, list(resource_ids), tx.now):
        resource = venue.resources[plain_id(row["resource_id"])]
        there = await store.overlapping(tx, [(venue.tenant_id, resource.id, Span(tx.now, NEVER))])
        moved = gathered(
            [each for each in there if each.owner_kind != CLEANING or each.unit <= resource.units],
            units=resource.units,
        )
        if moved is None:
            problem = f"recently expired holds, or cleaning, still occupy units of {resource.slug}: try again"
            raise InvalidRequest.of("units", resource.units, problem)
        await store.move(tx, moved)
