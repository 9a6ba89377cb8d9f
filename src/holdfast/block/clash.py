"""What stands where a block is to go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from holdfast.block import store
from holdfast.block.model import OWNER_KIND, Block
from holdfast.booking.displace import owners
from holdfast.booking.model import Booking
from holdfast.claim import store as claims
from holdfast.claim.model import CLEANING, Claim, Shift, clear_of
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError, Kind
from holdfast.place.venue import Venue

BOOKINGS_SHOWN_MAX = 100
BLOCKS_SHOWN_MAX = 20


class BlockOverlapsBookings(HoldfastError):
    """There are bookings at that time: move them, or ask with on_conflict "displace".

    Fields `bookings` (the first BOOKINGS_SHOWN_MAX of them) and `bookings_total`.
    """

    kind = Kind.CONFLICT
    code = "BLOCK_OVERLAPS_BOOKINGS"


class BlockOverlapsBlocks(HoldfastError):
    """Another block takes these resources at that time: cancel it, or take another time.

    Field `blocks`: [{id, kind, reason, start, end, resource_ids}].
    """

    kind = Kind.CONFLICT
    code = "BLOCK_OVERLAPS_BLOCKS"


@dataclass(frozen=True, slots=True)
class Clash:
    """The claims in the way, of owners in the order in which they are met; expired holds and cleaning apart."""

    bookings: dict[UUID, list[Claim]]
    blocks: dict[UUID, list[Claim]]
    expired: list[Claim]
    cleaning: list[Claim]


async def find_clash(tx: Tx, wanted: Iterable[Claim], *, own_id: UUID) -> Clash:
    """What of the ledger shares time with these claims, but for those of the block itself."""
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
    return clash


async def cut_cleaning(tx: Tx, clash: Clash, wanted: Sequence[Claim]) -> Shift:
    """Ends cleaning where the block's claims begin: it keeps guests away, which a block does as well."""
    freed = await claims.free(tx, {(each.tenant_id, each.owner_id) for each in clash.cleaning})
    left = [short for each in freed if (short := clear_of(each, wanted))]
    await claims.take(tx, left)
    return Shift(freed, left)


async def refuse_blocks(tx: Tx, venue: Venue, clash: Clash) -> None:
    """Nothing, if no other block is there. Raises BlockOverlapsBlocks."""
    if many := len(clash.blocks):
        raise BlockOverlapsBlocks(
            f"{many} other block{'s' if many > 1 else ''} of this venue takes these resources at that time: "
            "cancel it, or take another time.",
            blocks=await blocks_shown(tx, venue, clash),
        )


async def bookings_shown(tx: Tx, venue: Venue, ids: Sequence[UUID]) -> dict[str, Any]:
    """The first BOOKINGS_SHOWN_MAX of these bookings and how many there are, as a block's refusal and preview show
    them."""
    found = await owners(tx, venue.tenant_id, ids[:BOOKINGS_SHOWN_MAX])
    return {"bookings": [booking_shown(each, venue) for each in found], "bookings_total": len(ids)}


def booking_shown(booking: Booking, venue: Venue) -> dict[str, Any]:
    """A booking as who blocks its place needs it: what it is and how to change it, not whose it is."""
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
    """The first BLOCKS_SHOWN_MAX of the blocks in the way, each with the first time that they meet."""
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
