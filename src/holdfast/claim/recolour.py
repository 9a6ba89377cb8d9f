"""A unit for one more claim, if need be by moving others to other units. Pure.

Unit numbers mean nothing to anybody: a claim fits if at no instant all units are taken. Some colouring of the claims
with the units exists then; here the one at hand is changed from the start of the new claim on, as little as possible.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from holdfast.claim.model import BEGINNING, NEVER, Claim, Occupancy, Probe, claimed_span
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource

MOVES_MAX = 200
"""So many claims move for one that comes."""
CLAIMS_MAX = 5_000
"""So many claims of a resource are looked at for one that comes."""
AHEAD_MIN, AHEAD_MAX = timedelta(days=1), timedelta(days=400)
"""How far behind the start of the new claim the ledger is read: the first time, and at most."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A unit that is free for all of a new claim once these claims have moved, each to the unit beside it."""

    unit: int
    moves: tuple[tuple[Claim, int], ...] = ()


def fit(
    occupancy: Occupancy, resource: Resource, span: Span, *, but: UUID | None = None
) -> Fit | Probe | None:
    """Where a booking of that span goes; those of owner `but` are in nobody's way.

    The lowest unit that is free, else one that others make free. None when at some instant no unit is left, or so much
    would have to move that it isn't tried. A probe: what the occupancy must learn of the ledger before that can be
    said.
    """
    unit = occupancy.free_unit(resource, span, but=but)
    if unit is not None:
        return Fit(unit)
    if resource.units == 1 or not occupancy.has_room(resource, span, but=but):
        return None
    wanted = claimed_span(resource, span)
    ahead = occupancy.ahead.get(resource.id, wanted)
    known = Span(wanted.start, max(wanted.end, ahead.end) if ahead.holds(wanted.start) else wanted.end)
    claims = occupancy.standing_in(resource, known, but=but)
    found = _recolour(claims, wanted, units=resource.units, until=known.end)
    if not isinstance(found, datetime):
        return found
    if known.duration >= AHEAD_MAX:
        return None
    # Twice as far each time, so that it is read a few times at most.
    further = wanted.start + min(max(2 * known.duration, AHEAD_MIN), AHEAD_MAX)
    return claims[0].tenant_id, resource.id, Span(wanted.start, max(found, further))


def _recolour(claims: Sequence[Claim], wanted: Span, *, units: int, until: datetime) -> Fit | datetime | None:
    """The fit; or up to when all claims must be known, if that is later than `until`; None when it is too much.

    1. The new claim goes to the unit that is free for longest from its start on.
    2. Whatever starts later, in order, stays where it is if that is free. Else it goes to one of the units that were
       touched, or to the one that is free for longest. As no instant has more claims than units, there is one.
    3. Once the new claim and all that moved are over, the rest stays as it is. Two units that swapped their
       claims are right again as soon as both are free at once.
    """
    if len(claims) > CLAIMS_MAX:
        return None
    later = sorted((each for each in claims if each.span.start >= wanted.start), key=lambda each: each.span)
    free_from = dict.fromkeys(range(1, units + 1), BEGINNING)
    free_from |= {each.unit: each.span.end for each in claims if each.span.start < wanted.start}
    starts: dict[int, list[datetime]] = {unit: [] for unit in free_from}
    for each in later:
        starts[each.unit].append(each.span.start)

    def free_longest(among: Iterable[int], span: Span) -> int | None:
        def end(unit: int) -> datetime:
            following = bisect_left(starts[unit], span.start)
            return min(span.end, starts[unit][following] if following < len(starts[unit]) else NEVER)

        return max((unit for unit in among if free_from[unit] <= span.start), key=end, default=None)

    first = free_longest(free_from, wanted)
    if first is None:
        return None
    free_from[first] = disturbed_until = wanted.end
    touched, moves = {first}, list[tuple[Claim, int]]()
    for claim in later:
        span, unit = claim.span, claim.unit
        if span.start >= disturbed_until:
            break
        if free_from[unit] > span.start:
            to = free_longest(sorted(touched), span) or free_longest(free_from, span)
            if to is None or len(moves) == MOVES_MAX:
                return None
            unit = to
            touched.add(unit)
            moves.append((claim, unit))
            disturbed_until = max(disturbed_until, span.end)
        free_from[unit] = span.end
    return Fit(first, tuple(moves)) if disturbed_until <= until else disturbed_until


def gathered(claims: Iterable[Claim], *, units: int) -> dict[Claim, Claim] | None:
    """All of the claims on so many units, each on its own where that is one of them and free: those that move, as they
    are -> as they are to be. None where at some instant there are more."""
    free_from = dict.fromkeys(range(1, units + 1), BEGINNING)
    moved: dict[Claim, Claim] = {}
    for claim in sorted(claims, key=lambda each: each.span):
        free = [unit for unit, at in free_from.items() if at <= claim.span.start]
        if not free:
            return None
        unit = claim.unit if claim.unit in free else free[0]
        free_from[unit] = claim.span.end
        if unit != claim.unit:
            moved[claim] = replace(claim, unit=unit)
    return moved
