"""Looks for places that bookings of a type have because others, which have no resource yet, can move."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from holdfast.assigning.choose import distinct
from holdfast.assigning.pool import fit_in_pool
from holdfast.booking.deciding.prepare import is_bound_late
from holdfast.booking.finding.scan import Start, share
from holdfast.booking.finding.search import Found, Sets
from holdfast.booking.rules.held_back import open_at
from holdfast.booking.wanted import Asker
from holdfast.claim import store as claims
from holdfast.claim.model import NEVER, Occupancy
from holdfast.claim.recolour import Fit
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.span import Span
from holdfast.place.venue import Venue


async def promised(
    tx: Tx, venue: Venue, sets: Sets, starts: Sequence[Start], *, asker: Asker, but: UUID | None = None
) -> list[tuple[Start, Found]]:
    """Returns those of the starts, for which no resource of the type is free, that can be promised all the same, each
    with the resource that it would be on. `sets`: the resources of the type. `but`: a booking that does not count."""
    late = [each for each in starts if is_bound_late(venue, each.span, now=tx.now)]
    if not late or not sets:
        return []
    pool = distinct(sets)
    probes = [(venue.tenant_id, each.id, Span(tx.now, NEVER)) for each in pool]
    occupancy = Occupancy(tx.now)
    await claims.learn(tx, occupancy, probes)
    slices, found = Slices(), list[tuple[Start, Found]]()
    for start in late:
        await share(slices)
        if venue.policy.held_back:
            pool = distinct(open_at(venue, asker, sets, start.span.start, now=tx.now))
        fit = (
            None if not pool else fit_in_pool(pool, start.span, occupancy, tenant_id=venue.tenant_id, but=but)
        )
        if isinstance(fit, Fit):
            found.append((start, Found(start.span, ((fit.resource,),))))
    return found
