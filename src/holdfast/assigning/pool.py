"""Bookings of a type that have no resource yet: they stay on some resource of the type, and move to make room. Pure.

All resources of such a type are alike, so a booking fits if all that move can be placed again: intervals on as many
lines as there are resources (interval graph colouring), of which some parts are taken for good.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from holdfast.claim.model import BEGINNING, NEVER, UNBOUND, Claim, Occupancy, Probe, claimed_span
from holdfast.claim.recolour import MOVES_MAX, Fit
from holdfast.kernel.span import Span, most_at_once
from holdfast.place.venue import Resource

CLAIMS_MAX = 10_000
"""How many claims of a type are considered for a new one, which takes about 60 ms: 200 rooms with 50 stays each."""


def fit_in_pool(
    pool: Sequence[Resource],
    span: Span,
    occupancy: Occupancy,
    *,
    tenant_id: UUID,
    but: UUID | None = None,
) -> Fit | list[Probe] | None:
    """Finds a resource of the type for the span, where none is free, by moving bookings that have none yet.

    Returns None if there is no room, or too many would have to move; a list of the probes that the occupancy must learn
    first, if it can't tell yet. Claims of owner `but` don't count. `pool`: the resources, all alike.
    """
    wanted = claimed_span(pool[0], span)
    near = [each for resource in pool for each in occupancy.standing_in(resource, wanted, but=but)]
    if most_at_once(each.span for each in near) >= len(pool):
        return None
    ever = Span(min(occupancy.now, wanted.start), NEVER)
    unknown = [each for each in pool if not _knows(occupancy, each, ever)]
    if unknown:
        return [(tenant_id, each.id, ever) for each in unknown]
    claims = [each for resource in pool for each in occupancy.standing_in(resource, ever, but=but)]
    placed = placed_again(pool, claims, wanted)
    if placed is None or placed.own is None:
        return None
    resource = next(each for each in pool if each.id == placed.own)
    return Fit(resource, (1,), tuple((each, 1) for each in placed.moves), tuple(placed.moves.values()))


def _knows(occupancy: Occupancy, resource: Resource, span: Span) -> bool:
    known = occupancy.ahead.get(resource.id)
    return known is not None and known.contains(span)


@dataclass(frozen=True, slots=True)
class Placed:
    """Where everything is now: the resource of the new claim, and those to which others move."""

    own: UUID | None
    moves: Mapping[Claim, UUID]


def placed_again(
    pool: Sequence[Resource],
    claims: Collection[Claim],
    wanted: Span | None = None,
    *,
    blocked: Iterable[tuple[UUID, Span]] = (),
) -> Placed | None:
    """Places the claims that may move again, with a new one for the span `wanted`, around those that may not.

    1. Each, in order of start, stays where it is if that is free, otherwise goes where it is free for longest. If
       nothing is taken for good after the first start, that always works where no instant has too many.
    2. If it does not, each goes where the next thing that can't move begins soonest after it, so that long gaps are
       left for long bookings.

    `blocked`: (resource, span) taken for good in addition. None if it finds no way, or too many would move.
    """
    if len(claims) > CLAIMS_MAX:
        return None
    movable = sorted((each for each in claims if each.owner_kind == UNBOUND), key=lambda each: each.span)
    fixed = [(each.resource_id, each.span) for each in claims if each.owner_kind != UNBOUND]
    for tight in (False, True):
        lines = _Lines.of(pool, [*fixed, *blocked], movable)
        placed = _place(lines, movable, wanted, tight=tight)
        if placed is not None and len(placed.moves) <= MOVES_MAX:
            return placed
    return None


@dataclass(slots=True)
class _Lines:
    """The resources as lines of time. `fixed`: the starts and ends of what can't move. `following`: the starts of what
    is on them now and can. `free_from`: the end of what was placed last."""

    fixed: dict[UUID, tuple[list[datetime], list[datetime]]]
    following: dict[UUID, list[datetime]]
    free_from: dict[UUID, datetime] = field(default_factory=dict)

    @classmethod
    def of(
        cls, pool: Sequence[Resource], fixed: Iterable[tuple[UUID, Span]], movable: Sequence[Claim]
    ) -> _Lines:
        lines = cls({each.id: ([], []) for each in pool}, {each.id: [] for each in pool})
        for id_, span in fixed:
            if id_ in lines.fixed:
                insort(lines.fixed[id_][0], span.start)
                insort(lines.fixed[id_][1], span.end)
        for each in movable:
            if each.resource_id in lines.following:
                lines.following[each.resource_id].append(each.span.start)
        lines.free_from = dict.fromkeys(lines.fixed, BEGINNING)
        return lines

    def is_free(self, id_: UUID, span: Span) -> bool:
        if id_ not in self.fixed or self.free_from[id_] > span.start:
            return False
        starts, ends = self.fixed[id_]
        # What can't move never overlaps, so starts and ends are in the same order.
        following = bisect_right(ends, span.start)
        return following == len(starts) or starts[following] >= span.end

    def next_fixed(self, id_: UUID, at: datetime) -> datetime:
        starts = self.fixed[id_][0]
        following = bisect_left(starts, at)
        return starts[following] if following < len(starts) else NEVER

    def next_movable(self, id_: UUID, at: datetime) -> datetime:
        starts = self.following[id_]
        following = bisect_left(starts, at)
        return starts[following] if following < len(starts) else NEVER


def _place(lines: _Lines, movable: Sequence[Claim], wanted: Span | None, *, tight: bool) -> Placed | None:
    queue: list[tuple[Span, Claim | None]] = [(each.span, each) for each in movable]
    if wanted is not None:
        queue.append((wanted, None))
    own: UUID | None = None
    moves: dict[Claim, UUID] = {}
    for span, claim in sorted(queue, key=lambda each: (each[0], each[1] is None)):
        id_ = _line_for(lines, span, claim, tight=tight)
        if id_ is None:
            return None
        lines.free_from[id_] = span.end
        if claim is None:
            own = id_
        elif id_ != claim.resource_id:
            moves[claim] = id_
    return Placed(own, moves)


def _line_for(lines: _Lines, span: Span, claim: Claim | None, *, tight: bool) -> UUID | None:
    home = None if claim is None else claim.resource_id
    if not tight and home is not None and lines.is_free(home, span):
        return home
    free = [id_ for id_ in lines.fixed if lines.is_free(id_, span)]
    if tight:
        return min(free, key=lambda id_: (lines.next_fixed(id_, span.end), id_ != home), default=None)
    return max(
        free,
        key=lambda id_: min(lines.next_fixed(id_, span.end), lines.next_movable(id_, span.start)),
        default=None,
    )
