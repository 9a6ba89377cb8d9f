"""Extends blocks to units that are added later: a block takes all units of its resources."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from holdfast.block import store
from holdfast.block.clash import cut_cleaning, find_clash
from holdfast.block.define import CLAIMS_MAX
from holdfast.block.expand import claims_of, leaves_of, occurrences_of
from holdfast.block.model import Block
from holdfast.booking.making.claiming import evict_expired_holds
from holdfast.claim import store as claims
from holdfast.claim.model import NEVER, Claim, Occupancy, clear_of
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource, Venue


async def refit(tx: Tx, venue: Venue, *, grown: Collection[UUID]) -> None:
    """Makes the venue's blocks take the units that the `grown` resources have gained, from now on.

    It runs in the transaction of that change, so that nobody can book the units first. `venue`: with the change, and
    with its lock held. It emits no event on the channels, because a change of the rules resets them anyway. Safe to
    run again. Raises InvalidRequest if it would add more than CLAIMS_MAX claims.
    """
    left = CLAIMS_MAX
    for block in await store.reaching_into(tx, venue, start=tx.now, end=NEVER):
        taken = leaves_of(venue.resources[each] for each in block.resource_ids if each in venue.resources)
        resources = [each for each in taken if each.id in grown]
        if resources:
            left -= await _refit(tx, venue, block, resources, most=left)


async def _refit(tx: Tx, venue: Venue, block: Block, resources: list[Resource], *, most: int) -> int:
    within, ids = Span(tx.now, NEVER), {each.id for each in resources}
    own = await claims.still_of(tx, tenant_id=block.tenant_id, owner_id=block.id, ends_after=tx.now)
    had = {(each.resource_id, each.unit, each.span) for each in own if each.resource_id in ids}
    # Counted before they are built: it may be a thousand units for two years.
    if len(occurrences_of(block, within)) * sum(each.units for each in resources) - len(had) > most:
        raise InvalidRequest.of(
            "units",
            max(each.units for each in resources),
            f"adds more than {CLAIMS_MAX:,} claims to blocks: end some of them first, or add fewer units",
        )
    wanted = claims_of(block, resources, within=within)
    missing = [each for each in wanted if (each.resource_id, each.unit, each.span) not in had]
    if missing:
        await _take(tx, venue, block, missing)
    return len(missing)


async def _take(tx: Tx, venue: Venue, block: Block, missing: list[Claim]) -> None:
    clash = await find_clash(tx, venue, missing, own_id=block.id)
    # A unit that was removed and added back may still be claimed, although it shouldn't be: its owner keeps it.
    others = [claim for found in (clash.bookings, clash.blocks) for own in found.values() for claim in own]
    free = [each for each in missing if clear_of(each, others) == each] if others else missing
    await evict_expired_holds(tx, free, Occupancy.of(clash.expired, now=tx.now))
    await cut_cleaning(tx, clash, free)
    await claims.take(tx, free)
