"""Looks for places that bookings of a type have because others, which have no resource yet, can move."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from uuid import UUID

from holdfast.assigning.choose import distinct, first_free, settle
from holdfast.booking.deciding.prepare import is_bound_late
from holdfast.booking.finding.look import look
from holdfast.booking.finding.scan import Start, share
from holdfast.booking.finding.search import Found, Sets, fit_promise
from holdfast.booking.rules.held_back import open_at
from holdfast.booking.said import Asker
from holdfast.claim.model import UNBOUND, Claim, Occupancy, claimed_span
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span, most_at_once
from holdfast.place.opening.opened import is_on_step, is_open
from holdfast.place.venue import Venue


async def promised(
    tx: Tx, venue: Venue, sets: Sets, starts: Sequence[Start], *, asker: Asker, but: UUID | None = None
) -> list[tuple[Start, Found]]:
    """Returns those of the starts, for which no resource of the type is free, that can be promised all the same, one
    for each goal. `starts`: allowed by the rules (`allowed`). `sets`: the resources of the type, at least one. `but`: a
    booking that does not count. Raises Overloaded when it takes longer than a request has."""
    late = [
        each for each in starts if is_bound_late(venue, each.span, now=tx.now) and _is_open(venue, sets, each)
    ]
    if not late:
        return []
    around = Span(min(each.span.start for each in late), max(each.span.end for each in late))
    occupancy = (await look(tx, venue, sets, around, but=but, is_type=True)).occupancy
    slices, found, reached = Slices(), list[tuple[Start, Found]](), set[Hashable]()
    for start in late:
        await share(slices)
        free = None if start.goal in reached else fit_promise(venue, asker, sets, start.span, occupancy)
        if free is not None:
            found.append((start, free))
            reached.add(start.goal)
    return found


async def most_promised(
    tx: Tx,
    venue: Venue,
    sets: Sets,
    starts: Sequence[Start],
    *,
    asker: Asker,
    than: Callable[[Hashable], int],
) -> AsyncIterator[tuple[Start, int]]:
    """Yields starts at which more bookings of the type can be made, one after the other, than was known for their goal,
    and how many. `starts`: allowed by the rules. `than`: how many are known for a goal. Raises Overloaded when it takes
    longer than a request has."""
    late = [
        each for each in starts if is_bound_late(venue, each.span, now=tx.now) and _is_open(venue, sets, each)
    ]
    if not late:
        return
    around = Span(min(each.span.start for each in late), max(each.span.end for each in late))
    occupancy = (await look(tx, venue, sets, around, is_type=True)).occupancy
    slices, able = Slices(), sets
    for start in late:
        await share(slices)
        if venue.policy.held_back:
            able = open_at(venue, asker, sets, start.span.start, now=tx.now)
        pool, wanted = distinct(able), claimed_span(sets[0][0], start.span)
        near = [each.span for one in pool for each in occupancy.standing_in(one, wanted)]
        if len(pool) - most_at_once(near) > than(start.goal):
            many = await _promised_at(venue, asker, able, start.span, occupancy)
            if many > than(
                start.goal
            ):  # what is free at every instant may still be too scattered for one stay
                yield start, many


async def _promised_at(venue: Venue, asker: Asker, sets: Sets, span: Span, known: Occupancy) -> int:
    """Makes as many bookings as can be made in a copy of the occupancy. `sets`: those of which none is held back.
    Returns how many."""
    draft = Occupancy(known.now, {id_: [*each] for id_, each in known.by_resource.items()}, {**known.ahead})
    slices, many = Slices(), 0
    while True:
        await share(slices)
        found = first_free(sets, span, draft, party_size=1)
        if not isinstance(found, tuple):
            promise = fit_promise(venue, asker, sets, span, draft)
            if promise is None or promise.fit is None:
                return many
            found = promise.sets[0], [promise.fit]
        settle(found[1], draft)
        (resource,), many = found[0], many + 1
        span_ = claimed_span(resource, span)
        draft.add(Claim(venue.tenant_id, resource.id, 1, span_, new_id(), UNBOUND))


def _is_open(venue: Venue, sets: Sets, start: Start) -> bool:
    """Whether the resources of the type, which all have the same hours, are open then and it is on their step."""
    return is_open(venue, sets[0], start.span) and (
        start.slot_id is not None or is_on_step(venue, sets[0], start.span)
    )
