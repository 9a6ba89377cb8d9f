"""The sets of resources that would do for a request, best first. Pure."""

from __future__ import annotations

from dataclasses import replace

from holdfast.assigning.choose import Demand, candidate_sets, check_party, fitting, named_resources
from holdfast.booking.deciding.override import Overruled
from holdfast.booking.deciding.wanted import SETS_FIRST, Prepared, Wanted
from holdfast.booking.model import Booking
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.span import Span
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
