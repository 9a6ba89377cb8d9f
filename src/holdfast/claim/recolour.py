"""Finds units for new claims, if necessary by moving other claims to other units. Pure.

Units are anonymous: a claim fits if there is no instant at which all units are taken. Then the claims can be coloured
with the units (interval graph colouring). This changes the existing colouring from the new claim's start on, as little
as possible.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from holdfast.claim.model import BEGINNING, NEVER, Claim, Occupancy, Probe, claimed_span
from holdfast.kernel.span import Span
from holdfast.kernel.value import value
from holdfast.place.venue import Resource

MOVES_MAX = 200
"""How many claims may move for a new one."""
CLAIMS_MAX = 5_000
"""How many claims of a resource are considered for a new one."""
AHEAD_MIN, AHEAD_MAX = timedelta(days=1), timedelta(days=400)
"""How far past the new claim's start the ledger is read: at first, and at most."""


@value()
class Fit:
    """Units of the resource that are free for all of the new claims once these other claims have moved, each to the
    unit next to it. `to`: the resource to which each claim moves; empty: each stays on its own."""

    resource: Resource
    units: tuple[int, ...]
    moves: tuple[tuple[Claim, int], ...] = ()
    to: tuple[UUID, ...] = ()


def make_room(
    occupancy: Occupancy, resource: Resource, span: Span, *, units: int = 1, but: UUID | None = None
) -> Fit | Probe | None:
    """Finds units that moving other claims makes free, for a span in which too few are free and yet there is room.

    Returns None if too many claims would have to move. Otherwise as `assigning.choose.fit`.
    """
    wanted = claimed_span(resource, span)
    ahead = occupancy.ahead.get(resource.id, wanted)
    known = Span(wanted.start, max(wanted.end, ahead.end) if ahead.holds(wanted.start) else wanted.end)
    claims = occupancy.standing_in(resource, known, but=but)
    found = _recolour(claims, wanted, resource=resource, units=units, until=known.end)
    if not isinstance(found, datetime):
        return found
    if known.duration >= AHEAD_MAX:
        return None
    # Doubles the range each time, so that the ledger is read only a few times.
    further = wanted.start + min(max(2 * known.duration, AHEAD_MIN), AHEAD_MAX)
    return claims[0].tenant_id, resource.id, Span(wanted.start, max(found, further))


def _recolour(
    claims: Sequence[Claim], wanted: Span, *, resource: Resource, units: int, until: datetime
) -> Fit | datetime | None:
    """Returns the fit, or the time (after `until`) up to which all claims must be known; None past a limit.

    1. The new claims get the units that are free for longest from their start.
    2. Each later claim, in order, keeps its unit if it is free. Otherwise it gets one of the units already changed,
       or the unit that is free for longest. There always is one, since no instant has more claims than units.
    3. Once the new claims and all moved claims have ended, the rest stays as it is. If two units have swapped claims,
       they are in order again as soon as both are free at the same time.
    """
    if len(claims) > CLAIMS_MAX:
        return None
    later = sorted((each for each in claims if each.span.start >= wanted.start), key=lambda each: each.span)
    free_from = dict.fromkeys(range(1, resource.units + 1), BEGINNING)
    free_from |= {each.unit: each.span.end for each in claims if each.span.start < wanted.start}
    starts: dict[int, list[datetime]] = {unit: [] for unit in free_from}
    for each in later:
        starts[each.unit].append(each.span.start)

    def free_longest(among: Iterable[int], span: Span) -> int | None:
        def end(unit: int) -> datetime:
            following = bisect_left(starts[unit], span.start)
            return min(span.end, starts[unit][following] if following < len(starts[unit]) else NEVER)

        return max((unit for unit in among if free_from[unit] <= span.start), key=end, default=None)

    new: list[int] = []
    for _ in range(units):
        longest = free_longest(free_from, wanted)
        if longest is None:
            return None
        free_from[longest] = wanted.end
        new.append(longest)
    disturbed_until = wanted.end
    touched, moves = set(new), list[tuple[Claim, int]]()
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
    return Fit(resource, tuple(new), tuple(moves)) if disturbed_until <= until else disturbed_until


def gathered(claims: Iterable[Claim], *, units: int) -> dict[Claim, Claim] | None:
    """Assigns all claims to that many units; each keeps its unit if it can. Returns the claims that move: current ->
    moved. None if at some instant there are more claims than units."""
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
