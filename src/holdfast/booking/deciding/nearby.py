"""The place of a booking or item that changes, where the house chose it: its own first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from holdfast.assigning.choose import Demand, candidate_sets, fitting
from holdfast.booking.rules.held_back import in_order
from holdfast.booking.rules.override import Overruled
from holdfast.booking.wanted import SETS_FIRST, Prepared, Wanted
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.span import Span
from holdfast.place.venue import Venue


def prepared_nearby(
    wanted: Wanted,
    own_ids: Sequence[UUID],
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
    kept = fitting(venue, own_ids, wanted.party_size)
    try:
        sets = candidate_sets(venue, Demand(wanted.party_size, (), wanted.preferences))
        if venue.policy.held_back:
            sets = in_order(venue, wanted.asker, sets)
    except HoldfastError:
        if kept is None:
            raise
        return Prepared(wanted, venue, span, slot_id, (kept,), overruled=hit)
    own, fewest = {*own_ids}, len(sets[0])
    if kept is not None and len(kept) <= fewest:
        first, last = [kept], []
    else:
        first = [each for each in sets if len(each) == fewest and {one.id for one in each} < own]
        last = [kept] if kept is not None else []
    done = [{one.id for one in each} for each in (*first, *last)]
    others = [each for each in sets if {one.id for one in each} not in done]
    ordered, most = (*first, *others, *last), len(first) or SETS_FIRST
    return Prepared(wanted, venue, span, slot_id, ordered[:most], ordered[most:], hit)
