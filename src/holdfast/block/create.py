"""Creates a block, or previews what it would overlap."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from holdfast.block import clash, store
from holdfast.block.clash import BlockOverlapsBookings, Clash
from holdfast.block.define import Defined, NewBlock, define
from holdfast.block.expand import claims_of, occurrences_of
from holdfast.block.model import Block, BlockStep, as_json
from holdfast.booking import store as booking_store
from holdfast.booking.displace import alternatives_to, displace, owners
from holdfast.booking.making.claiming import arriving, evict_expired_holds
from holdfast.booking.model import Booking
from holdfast.booking.states import DISPLACEABLE, Status
from holdfast.channel.announce import announce
from holdfast.claim import store as claims
from holdfast.claim.model import Occupancy, Shift
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.span import Span
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.planning import Read, StalePlan

NEAR = timedelta(days=1)
"""Alternatives are within hours of a booking, so the block's time further away than this can't be in their way."""
DISPLACED_MAX = 100
"""The most bookings that one block may displace: finding alternatives takes time for each."""
COLUMNS_IN_HISTORY = ("kind", "reason", "resource_ids", "local_start", "local_end", "timezone", "rrule")
"""The columns that the first entry of a block's history records."""
MOVABLE = {Status.HELD, *DISPLACEABLE}
"""A block can displace bookings in these statuses. In the others the party is already there."""


async def preview(tx: Tx, wanted: NewBlock, *, venue: Venue, places: Places) -> dict[str, Any]:
    """Returns the block's occurrences, and the bookings and blocks that they would overlap. Writes nothing.

    `can_displace`: whether it could be created now with on_conflict "displace". Raises InvalidRequest where `create`
    does.
    """
    venue = await places.current(tx, venue)
    defined = define(wanted, venue, by=str(tx.actor), now=tx.now)
    found = await clash.find_clash(tx, venue, defined.claims, own_id=defined.block.id)
    hit = await clash.bookings_shown(tx, venue, list(found.bookings))
    few = len(found.bookings) <= DISPLACED_MAX
    return {
        "rrule": defined.block.rrule,
        "timezone": venue.timezone,
        "occurrences": [
            {
                "on": each.on,
                "start": each.span.start.astimezone(venue.tz),
                "end": each.span.end.astimezone(venue.tz),
            }
            for each in occurrences_of(defined.block)
        ],
        **hit,
        "blocks": await clash.blocks_shown(tx, venue, found),
        "can_displace": few
        and not found.blocks
        and all(each["status"] in MOVABLE for each in hit["bookings"]),
    }


@dataclass(frozen=True, slots=True)
class Blocked:
    """A new block, and the bookings it displaced."""

    block: Block
    displaced: Sequence[Booking]

    def as_json(self, venue: Venue) -> dict[str, Any]:
        shown = [clash.booking_shown(each, venue) for each in self.displaced]
        return {**as_json(self.block, venue), "displaced": shown}


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """What is computed before the lock is taken. `rules_version`: of the venue when `defined` was computed.
    `alternatives`: for each booking that it would displace, by id, in the form that `suggest` returns."""

    wanted: NewBlock
    defined: Defined
    rules_version: int
    alternatives: Mapping[UUID, list[dict[str, Any]]]


async def plan(read: Read, wanted: NewBlock, *, by: str, venue: Venue, places: Places) -> BlockPlan:
    """Plans what `create` will write.

    1. Compute which resources it blocks when.
    2. For each booking that it would displace, look for free alternatives, as if the block were already there.

    Raises an error if the block is impossible: InvalidRequest, BlockOverlapsBookings, BlockOverlapsBlocks.
    """
    venue, now = await read(_basis, venue, places)
    defined = define(wanted, venue, by=by, now=now)
    bookings: Sequence[Booking] = await read(_look, wanted, defined, venue=venue)
    gone = frozenset(each.id for each in bookings)
    alternatives: dict[UUID, list[dict[str, Any]]] = {}
    for each in bookings:
        near = Span(each.start_at - NEAR, each.end_at + NEAR)
        taken = claims_of(defined.block, defined.resources, within=near)
        alternatives[each.id] = await read(alternatives_to, each, venue=venue, gone=gone, taken=taken)
    return BlockPlan(wanted, defined, venue.rules_version, alternatives)


async def _basis(tx: Tx, venue: Venue, places: Places) -> tuple[Venue, datetime]:
    return await places.current(tx, venue), tx.now


async def _look(tx: Tx, wanted: NewBlock, defined: Defined, *, venue: Venue) -> Sequence[Booking]:
    found = await clash.find_clash(tx, venue, defined.claims, own_id=defined.block.id)
    await clash.refuse_blocks(tx, venue, found)
    return await _displaceable(tx, found, wanted, venue, owners)


async def create(tx: Tx, planned: BlockPlan, *, plans_left: int, venue: Venue) -> Blocked:
    """Writes the planned block. Returns it with the bookings it displaced. Runs under the lock of `venue`.

    1. Look what is there. Other blocks prevent it. Bookings prevent it too, unless on_conflict is "displace" and
       they can be displaced. Expired holds give way.
    2. Take all units of the resources for each occurrence, and write the block.
    3. Hand the displaced bookings to staff, each with the alternatives from the plan.

    Raises BlockOverlapsBookings, BlockOverlapsBlocks, and StalePlan if the rules have changed or somebody has booked
    there since it was planned: then nothing was written. With no `plans_left`, such late bookings are displaced
    without alternatives.
    """
    wanted, defined = planned.wanted, planned.defined
    if venue.rules_version != planned.rules_version:
        if plans_left:
            raise StalePlan
        defined = define(wanted, venue, by=str(tx.actor), now=tx.now)
    block = defined.block
    found = await clash.find_clash(tx, venue, defined.claims, own_id=block.id)
    await clash.refuse_blocks(tx, venue, found)
    bookings = await _displaceable(tx, found, wanted, venue, _locked)
    if plans_left and not planned.alternatives.keys() >= {each.id for each in bookings}:
        raise StalePlan
    shift = await evict_expired_holds(tx, defined.claims, Occupancy.of(found.expired, now=tx.now))
    shift += Shift(freed=await claims.free(tx, [(each.tenant_id, each.id) for each in bookings]))
    shift += arriving(bookings)
    shift += await clash.cut_cleaning(tx, found, defined.claims)
    shift += await claims.move(tx, found.moves)
    shift += await take_all(tx, defined)
    recorded = {name: getattr(block, name) for name in COLUMNS_IN_HISTORY}
    recorded["displaced"] = [each.id for each in bookings]
    await store.insert(tx, BlockStep(block, "create", str(tx.actor), recorded, tx.traceparent))
    displaced = await displace(tx, bookings, alternatives=planned.alternatives, block_id=block.id)
    await announce(tx, venue, shift, reason=block.reason)
    return Blocked(block, displaced)


async def _displaceable(
    tx: Tx,
    found: Clash,
    wanted: NewBlock,
    venue: Venue,
    read: Callable[[Tx, UUID, Sequence[UUID]], Awaitable[Sequence[Booking]]],
) -> Sequence[Booking]:
    """Returns the bookings in the way, as `read` reads them, if the block may displace them all. Raises
    BlockOverlapsBookings if not."""
    ids: list[UUID] = list(found.bookings)
    if not ids:
        return []
    counted = f"{len(ids)} booking{'s' if len(ids) > 1 else ''}"
    if wanted.on_conflict == "refuse":
        detail = f'The block overlaps {counted}: move what is there, or set on_conflict to "displace".'
        raise BlockOverlapsBookings(detail, **await clash.bookings_shown(tx, venue, ids))
    if len(ids) > DISPLACED_MAX:
        detail = (
            f"The block overlaps {counted}, but can displace at most {DISPLACED_MAX}: block a shorter time."
        )
        raise BlockOverlapsBookings(detail, **await clash.bookings_shown(tx, venue, ids))
    bookings = await read(tx, venue.tenant_id, ids)
    seated = [each.id for each in bookings if each.status not in MOVABLE]
    if seated:
        detail = (
            f"{len(seated)} of {counted} can't be displaced, because the party is already there: "
            "end these visits, or start the block later."
        )
        raise BlockOverlapsBookings(detail, **await clash.bookings_shown(tx, venue, seated))
    return bookings


async def _locked(tx: Tx, tenant_id: UUID, ids: Sequence[UUID]) -> Sequence[Booking]:
    return await booking_store.of_ids(tx, [(tenant_id, id_) for id_ in ids])


async def take_all(tx: Tx, defined: Defined) -> Shift:
    """Takes the block's claims. Raises BlockOverlapsBookings if the constraint objects after all."""
    try:
        await claims.take(tx, defined.claims)
    except asyncpg.ExclusionViolationError as error:
        detail = "Somebody took that time a moment ago: look what is there, and try again."
        raise BlockOverlapsBookings(detail, bookings=[], bookings_total=0) from error
    return Shift(taken=defined.claims)
