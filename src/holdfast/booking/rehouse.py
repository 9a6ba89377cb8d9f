"""Moves promises of a type off resources that are out of use."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from uuid import UUID

from holdfast.assigning.pool import placed_again
from holdfast.booking.making.claiming import evict_expired_holds
from holdfast.claim import store as claims
from holdfast.claim.model import NEVER, UNBOUND, Claim, Occupancy
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource, Venue

SINGLY_MAX = 20
"""How many promises of a type are moved one by one, in order of time, where not all can be kept."""

Moves = dict[Claim, Claim]


async def rehouse(tx: Tx, venue: Venue, *, resource_ids: Collection[UUID]) -> None:
    """Moves current and future claims of bookings that have no resource yet from those of the resources that are out of
    use to others of their type. Those for which there is no room stay.

    Runs in the transaction of the change, under the lock of `venue`, which is as the transaction sees it. It emits no
    event on the channels, because a change of the rules resets them anyway. Safe to run again.
    """
    unused = [venue.resources[each] for each in resource_ids if each in venue.resources]
    unused = [each for each in unused if each.group is not None and not each.active]
    for group in dict.fromkeys(each.group for each in unused):
        pool = [each for each in venue.resources.values() if each.active and each.group == group]
        await _rehouse(tx, venue, pool, [each for each in unused if each.group == group])


async def _rehouse(tx: Tx, venue: Venue, pool: Sequence[Resource], unused: Sequence[Resource]) -> None:
    ever, ids = Span(tx.now, NEVER), {each.id for each in unused}
    there = await claims.overlapping(tx, [(venue.tenant_id, each.id, ever) for each in (*pool, *unused)])
    standing = [each for each in there if each.stands(tx.now)]
    late = [each for each in standing if each.owner_kind == UNBOUND and each.resource_id in ids]
    if not late or not pool:
        return
    kept = [each for each in standing if each.resource_id not in ids]
    placed = placed_again(pool, [*kept, *late])
    if placed is not None:
        moves = {each: replace(each, resource_id=id_) for each, id_ in placed.moves.items()}
    else:
        moves = dict(_singly(pool, kept, sorted(late, key=lambda each: each.span)[:SINGLY_MAX]))
    await evict_expired_holds(tx, moves.values(), Occupancy.of(there, now=tx.now))
    await claims.move(tx, moves)


def _singly(
    pool: Sequence[Resource], kept: Sequence[Claim], late: Sequence[Claim]
) -> Iterator[tuple[Claim, Claim]]:
    """Yields where those go that have room beside what is kept and those before them."""
    now = {each: each for each in kept}
    for each in late:
        placed = placed_again(pool, list(now.values()), each.span)
        if placed is None or placed.own is None:
            continue
        first = {current: before for before, current in now.items()}
        now |= {first[current]: replace(current, resource_id=id_) for current, id_ in placed.moves.items()}
        now[each] = replace(each, resource_id=placed.own)
    yield from ((before, after) for before, after in now.items() if before != after)
