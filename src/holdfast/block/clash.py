"""Finds what is in the way of a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from holdfast.assigning.pool import placed_again
from holdfast.block import store
from holdfast.block.model import OWNER_KIND, Block
from holdfast.booking.displace import owners
from holdfast.booking.model import Booking
from holdfast.claim import store as claims
from holdfast.claim.model import CLEANING, NEVER, UNBOUND, Claim, Shift, clear_of
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError, Kind
from holdfast.kernel.span import Span
from holdfast.place.venue import Venue

BOOKINGS_SHOWN_MAX = 100
BLOCKS_SHOWN_MAX = 20


class BlockOverlapsBookings(HoldfastError):
    """The block overlaps bookings: move them, or set on_conflict to "displace".

    Fields `bookings` (the first BOOKINGS_SHOWN_MAX of them) and `bookings_total`.
    """

    kind = Kind.CONFLICT
    code = "BLOCK_OVERLAPS_BOOKINGS"


class BlockOverlapsBlocks(HoldfastError):
    """The block overlaps another one: cancel that one, or choose another time.

    Field `blocks`: [{id, kind, reason, start, end, resource_ids}].
    """

    kind = Kind.CONFLICT
    code = "BLOCK_OVERLAPS_BLOCKS"


@dataclass(frozen=True, slots=True)
class Clash:
    """The claims in the way, by owner and in order of time. Expired holds and cleaning are kept apart. `moves`: claims
    of bookings that were promised a type; instead of being in the way they go to other resources of it: current ->
    moved."""

    bookings: dict[UUID, list[Claim]]
    blocks: dict[UUID, list[Claim]]
    expired: list[Claim]
    cleaning: list[Claim]
    moves: dict[Claim, Claim] = field(default_factory=dict)


async def find_clash(tx: Tx, venue: Venue, wanted: Sequence[Claim], *, own_id: UUID) -> Clash:
    """Returns the claims in the ledger that overlap these, except the block's own."""
    spans = dict.fromkeys((each.tenant_id, each.resource_id, each.span) for each in wanted)
    clash = Clash({}, {}, [], [])
    found = await claims.overlapping(tx, spans)
    for claim in sorted(found, key=lambda each: (each.span, each.owner_id)):
        if claim.owner_id == own_id:
            continue
        if not claim.stands(tx.now):
            clash.expired.append(claim)
        elif claim.owner_kind == CLEANING:
            clash.cleaning.append(claim)
        elif claim.owner_kind == OWNER_KIND:
            clash.blocks.setdefault(claim.owner_id, []).append(claim)
        else:
            clash.bookings.setdefault(claim.owner_id, []).append(claim)
    late = {id_: of for id_, of in clash.bookings.items() if of[0].owner_kind == UNBOUND}
    if late and (moves := await _moves(tx, venue, wanted, [claim for of in late.values() for claim in of])):
        clash.moves.update(moves)
        for id_ in late:
            del clash.bookings[id_]
    return clash


async def _moves(
    tx: Tx, venue: Venue, wanted: Sequence[Claim], late: Sequence[Claim]
) -> dict[Claim, Claim] | None:
    """Returns how bookings of types that have no resource yet can make way, and keep their promise; None if not all
    can."""
    groups = {resource.group for each in late if (resource := venue.resources.get(each.resource_id))}
    blocked = [(each.resource_id, each.span) for each in wanted]
    moves: dict[Claim, Claim] = {}
    for group in groups:
        pool = [each for each in venue.resources.values() if each.active and each.group == group]
        found = await claims.overlapping(
            tx, [(venue.tenant_id, each.id, Span(tx.now, NEVER)) for each in pool]
        )
        standing = [each for each in found if each.stands(tx.now)]
        placed = placed_again(pool, standing, blocked=blocked)
        if placed is None:
            return None
        moves |= {each: replace(each, resource_id=id_) for each, id_ in placed.moves.items()}
    return moves


async def cut_cleaning(tx: Tx, clash: Clash, wanted: Sequence[Claim]) -> Shift:
    """Cuts cleaning short where the block's claims begin: a block keeps guests away just as well."""
    freed = await claims.free(tx, {(each.tenant_id, each.owner_id) for each in clash.cleaning})
    left = [short for each in freed if (short := clear_of(each, wanted))]
    await claims.take(tx, left)
    return Shift(freed, left)


async def refuse_blocks(tx: Tx, venue: Venue, clash: Clash) -> None:
    """Raises BlockOverlapsBlocks if another block is in the way."""
    if many := len(clash.blocks):
        raise BlockOverlapsBlocks(
            f"The block overlaps {many} other block{'s' if many > 1 else ''} of this venue: "
            "cancel what is there, or choose another time.",
            blocks=await blocks_shown(tx, venue, clash),
        )


async def bookings_shown(tx: Tx, venue: Venue, ids: Sequence[UUID]) -> dict[str, Any]:
    """Returns the first BOOKINGS_SHOWN_MAX of these bookings and their number, for a block's refusal or preview."""
    found = await owners(tx, venue.tenant_id, ids[:BOOKINGS_SHOWN_MAX])
    return {"bookings": [booking_shown(each, venue) for each in found], "bookings_total": len(ids)}


def booking_shown(booking: Booking, venue: Venue) -> dict[str, Any]:
    """Returns what staff need to move a booking out of the way of a block. It leaves out whose booking it is."""
    return {
        "id": str(booking.id),
        "booking_reference": booking.reference,
        "status": booking.status,
        "start": booking.start_at.astimezone(venue.tz).isoformat(),
        "end": booking.end_at.astimezone(venue.tz).isoformat(),
        "resource_ids": [str(each) for each in booking.resource_ids],
        "party_size": booking.party_size,
        "version": booking.version,
    }


async def blocks_shown(tx: Tx, venue: Venue, clash: Clash) -> list[dict[str, Any]]:
    """Returns the first BLOCKS_SHOWN_MAX of the blocks in the way, each with its first occurrence that is."""
    ids = list(clash.blocks)[:BLOCKS_SHOWN_MAX]
    found = {block.id: block for block in await store.of_ids(tx, venue.tenant_id, ids)}
    return [_block_shown(found[each], clash.blocks[each][0], venue) for each in ids if each in found]


def _block_shown(block: Block, first: Claim, venue: Venue) -> dict[str, Any]:
    return {
        "id": str(block.id),
        "kind": block.kind,
        "reason": block.reason,
        "start": first.span.start.astimezone(venue.tz).isoformat(),
        "end": first.span.end.astimezone(venue.tz).isoformat(),
        "resource_ids": [str(each) for each in block.resource_ids],
    }
