"""The sets of resources that would do for a request, best first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from holdfast.assigning.choose import (
    Demand,
    candidate_sets,
    check_party,
    claimed_by,
    first_free,
    fitting,
    named_resources,
)
from holdfast.assigning.pool import fit_in_pool
from holdfast.booking.deciding.override import Overruled
from holdfast.booking.deciding.wanted import SETS_FIRST, Prepared, Wanted, binds_late
from holdfast.booking.model import Booking
from holdfast.claim.model import Occupancy, Probe, claimed_span
from holdfast.claim.recolour import Fit
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.span import Span
from holdfast.place.opening.opened import opened
from holdfast.place.venue import Resource, Venue


def prepared_at(
    wanted: Wanted, venue: Venue, span: Span, slot_id: str | None, over: Overruled | None = None
) -> Prepared:
    """Returns the request at that time, with every set that fits. Raises the errors of `candidate_sets`, unless they
    are overruled: for named resources only, since they alone are somebody's choice."""
    sets = sets_for(wanted, venue, over)
    return Prepared(wanted, venue, span, slot_id, sets, overruled=() if over is None else tuple(over.hit))


def sets_for(wanted: Wanted, venue: Venue, over: Overruled | None) -> tuple[tuple[Resource, ...], ...]:
    """Returns the sets that fit, best first. Raises like `prepared_at`."""
    if wanted.planned:
        return (named_resources(venue, wanted.planned),)
    if over is not None and wanted.resource_ids:
        named = named_resources(venue, wanted.resource_ids)
        over.check(check_party, venue, named, wanted.party_size)
        return (named,)
    return candidate_sets(venue, Demand(wanted.party_size, wanted.resource_ids, wanted.preferences))


def prepared_nearby(
    wanted: Wanted,
    booking: Booking,
    venue: Venue,
    span: Span,
    slot_id: str | None,
    over: Overruled | None = None,
) -> Prepared:
    """Returns the request of a booking whose place the house chose: its own place first if that still fits, then the
    best fit. Raises the errors of `candidate_sets`, if nothing fits.

    A place of several resources no longer fits if fewer would do; then one of its own comes first.
    """
    wanted, hit = replace(wanted, resource_ids=()), () if over is None else tuple(over.hit)
    kept = fitting(venue, booking.resource_ids, wanted.party_size)
    try:
        sets = candidate_sets(venue, Demand(wanted.party_size, (), wanted.preferences))
    except HoldfastError:
        if kept is None:
            raise
        return Prepared(wanted, venue, span, slot_id, (kept,), overruled=hit)
    own, fewest = {*booking.resource_ids}, len(sets[0])
    if kept is not None and len(kept) <= fewest:
        first, last = [kept], []
    else:
        first = [each for each in sets if len(each) == fewest and {one.id for one in each} < own]
        last = [kept] if kept is not None else []
    done = [{one.id for one in each} for each in (*first, *last)]
    others = [each for each in sets if {one.id for one in each} not in done]
    ordered, most = (*first, *others, *last), len(first) or SETS_FIRST
    return Prepared(wanted, venue, span, slot_id, ordered[:most], ordered[most:], hit)


Place = tuple[tuple[Resource, ...], list[Fit]]
"""The resources of a booking, with a fit for each that it claims."""


def find_place(
    prepared: Prepared, occupancy: Occupancy, *, but: UUID | None = None
) -> Place | list[Probe] | None:
    """Returns the best free place; None if there is none. For a booking that is promised a type, others that have no
    resource yet may move. Claims of owner `but` don't count.

    If it can't tell yet, it returns the probes that the occupancy must learn before it is asked again, with
    `prepared.in_full()`.
    """
    sets, party_size = open_sets(prepared), prepared.wanted.party_size
    found = first_free(sets, prepared.span, occupancy, party_size=party_size, but=but)
    if prepared.rest and (found is None or isinstance(found, list)):
        return [*(found or ()), *probes_of(prepared.in_full())]
    if found is not None or not sets or not binds_late(prepared, now=occupancy.now):
        return found
    pool, tenant_id = [each for each, *_ in sets], prepared.venue.tenant_id
    fit = fit_in_pool(pool, prepared.span, occupancy, tenant_id=tenant_id, but=but)
    return ((fit.resource,), [fit]) if isinstance(fit, Fit) else fit


def open_sets(prepared: Prepared) -> Sequence[tuple[Resource, ...]]:
    """Returns the sets that are open during the span, on their own steps; some resources have their own hours. If there
    are none, but the rules allow the time or don't matter, all of them."""
    venue, wanted = prepared.venue, prepared.wanted
    if wanted.resource_ids or not venue.has_own_hours:
        return prepared.sets
    for any_start in (wanted.walk_in or prepared.slot_id is not None, True):
        found = opened(venue, prepared.sets, prepared.span, any_start=any_start)
        if found or prepared.rest:
            return found
    return prepared.sets


def probes_of(prepared: Prepared) -> Iterator[Probe]:
    """Yields the ledger probes that the decision needs."""
    for resource in claimed_by(prepared.sets):
        yield prepared.venue.tenant_id, resource.id, claimed_span(resource, prepared.span)


def ids_of(prepared: Prepared, resources: Sequence[Resource], *, now: datetime) -> tuple[UUID, ...]:
    """Returns the resources that the booking has: these, or none yet if it is promised a type."""
    return () if binds_late(prepared, now=now) else tuple([each.id for each in resources])
