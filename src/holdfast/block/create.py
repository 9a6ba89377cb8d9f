"""Taking resources off the inventory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from holdfast.block import clash, store
from holdfast.block.clash import Clash
from holdfast.block.define import Defined, Wanted, define
from holdfast.block.errors import BlockOverlapsBookings
from holdfast.block.model import Block, Step, as_json
from holdfast.booking import store as booking_store
from holdfast.booking.displace import displace, give_up
from holdfast.booking.due import evict_expired_holds
from holdfast.booking.model import Booking
from holdfast.booking.states import DISPLACEABLE, Status
from holdfast.channel.announce import announce
from holdfast.claim import store as claims
from holdfast.claim.model import Occupancy, Shift
from holdfast.kernel.tx import Tx
from holdfast.place.venue import Venue

DISPLACED_MAX = 100
"""So many bookings lose their place to one block; for each of them alternatives are looked for."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A new block, and the bookings that lost their place to it."""

    block: Block
    displaced: Sequence[Booking]

    def as_json(self, venue: Venue) -> dict[str, Any]:
        shown = [clash.booking_shown(each, venue) for each in self.displaced]
        return {**as_json(self.block, venue), "displaced": shown}


async def create(tx: Tx, wanted: Wanted, *, venue: Venue) -> Blocked:
    """The new block, with the bookings that lost their place to it. Runs under the lock of `venue`.

    1. Work out when it blocks what.
    2. Look what is there. Other blocks refuse it; bookings refuse it too, unless they can be displaced and
       that was asked for. Holds past their time make room.
    3. Take all units of the resources for each occurrence, and write the block.
    4. Send the displaced to people, each with alternatives that are still free now.

    Raises InvalidRequest, BlockOverlapsBookings, BlockOverlapsBlocks: then nothing was written.
    """
    defined = define(wanted, venue, by=str(tx.actor), now=tx.now)
    block = defined.block
    found = await clash.find_clash(tx, defined.claims, own_id=block.id)
    await clash.refuse_blocks(tx, venue, found)
    bookings = await _displaceable(tx, found, wanted, venue)
    shift = await evict_expired_holds(tx, defined.claims, Occupancy.of(found.expired, now=tx.now))
    shift += Shift(freed=await give_up(tx, bookings))
    shift += await clash.cut_cleaning(tx, found, defined.claims)
    shift += await take_all(tx, defined)
    step = Step(block, "create", str(tx.actor), _changes(defined, bookings), tx.traceparent)
    await store.insert(tx, step)
    displaced = await displace(tx, bookings, venue=venue, block_id=block.id)
    await announce(tx, venue, shift, reason=block.reason)
    return Blocked(block, displaced)


async def _displaceable(tx: Tx, found: Clash, wanted: Wanted, venue: Venue) -> Sequence[Booking]:
    """The bookings in the way, locked, if the block may have their place. Raises BlockOverlapsBookings."""
    ids: list[UUID] = list(found.bookings)
    if not ids:
        return []
    said = f"{len(ids)} booking{'s' if len(ids) > 1 else ''} at that time"
    if wanted.on_conflict == "refuse":
        detail = f'There is {said}: move what is there, or ask with on_conflict "displace".'
        await clash.refuse_bookings(tx, venue, ids, detail=detail)
    if len(ids) > DISPLACED_MAX:
        detail = f"There is {said}, and one block displaces at most {DISPLACED_MAX}: block a shorter time."
        await clash.refuse_bookings(tx, venue, ids, detail=detail)
    bookings = await booking_store.of_ids(tx, [(venue.tenant_id, id_) for id_ in ids])
    sitting = [each.id for each in bookings if each.status not in {Status.HELD, *DISPLACEABLE}]
    if sitting:
        detail = (
            f"{len(sitting)} of {said} can't be displaced, because the party is there: "
            "end these visits, or start the block later."
        )
        await clash.refuse_bookings(tx, venue, sitting, detail=detail)
    return bookings


async def take_all(tx: Tx, defined: Defined) -> Shift:
    """Takes the block's claims. Raises BlockOverlapsBookings when the constraint objects after all."""
    try:
        await claims.take(tx, defined.claims)
    except asyncpg.ExclusionViolationError as error:
        detail = "That was taken a moment ago: look what is there, and ask again."
        raise BlockOverlapsBookings(detail, bookings=[], bookings_total=0) from error
    return Shift(taken=defined.claims)


def _changes(defined: Defined, displaced: Sequence[Booking]) -> dict[str, Any]:
    block = defined.block
    return {
        "kind": block.kind,
        "reason": block.reason,
        "resource_ids": block.resource_ids,
        "local_start": block.local_start,
        "local_end": block.local_end,
        "timezone": block.timezone,
        "rrule": block.rrule,
        "displaced": [each.id for each in displaced],
    }
