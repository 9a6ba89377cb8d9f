"""Making the claims of a venue's blocks what their definitions say, after the venue changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from holdfast.block import store
from holdfast.block.clash import cut_cleaning, find_clash
from holdfast.block.expand import claims_of
from holdfast.block.model import Block
from holdfast.booking import store as booking_store
from holdfast.booking.displace import displace, give_up
from holdfast.booking.due import evict_expired_holds
from holdfast.booking.model import Booking
from holdfast.booking.states import DISPLACEABLE, Status
from holdfast.channel.announce import announce
from holdfast.claim import store as claims
from holdfast.claim.drop import drop, still_of
from holdfast.claim.model import Claim, Occupancy, Shift
from holdfast.kernel.span import Span
from holdfast.kernel.tx import Tx
from holdfast.place.venue import Venue

NEVER = datetime.max.replace(tzinfo=UTC)


async def refit(tx: Tx, venue: Venue, *, of: frozenset[UUID] | None = None) -> None:
    """Nothing of what the venue's blocks say is left out of the ledger, and nothing else of theirs is in it.
    `of`: only blocks of any of these resources are looked at.

    A resource that was given more units is blocked with all of them; bookings that got there first are
    displaced, but not parties that sit there: they keep their unit. What is over stays as it was. Runs under the
    lock of `venue`, which is as the transaction sees it; safe to run again.
    """
    definitions = await store.reaching_into(
        tx, tenant_id=venue.tenant_id, venue_id=venue.id, start=tx.now, end=NEVER
    )
    for block in definitions:
        if of is not None and of.isdisjoint(block.resource_ids):
            continue
        shift = await _refit(tx, block, venue)
        if shift.freed or shift.taken:
            await announce(tx, venue, shift, reason=block.reason)


async def _refit(tx: Tx, block: Block, venue: Venue) -> Shift:
    resources = [venue.resources[each] for each in block.resource_ids if each in venue.resources]
    wanted = {_key(each): each for each in claims_of(block, resources, within=Span(tx.now, NEVER))}
    own = await still_of(tx, tenant_id=block.tenant_id, owner_id=block.id, ends_after=tx.now)
    missing, freed = wanted, list[Claim]()
    if all(_key(each) in wanted for each in own):
        had = set(map(_key, own))
        missing = {key: each for key, each in wanted.items() if key not in had}
    else:
        freed = await drop(tx, tenant_id=block.tenant_id, owner_id=block.id, ends_after=tx.now)
    shift = Shift(freed=freed)
    return shift + await _take(tx, block, list(missing.values()), venue) if missing else shift


async def _take(tx: Tx, block: Block, missing: Sequence[Claim], venue: Venue) -> Shift:
    clash = await find_clash(tx, missing, own_id=block.id)
    owners = [(venue.tenant_id, id_) for id_ in _owners(clash.bookings, missing)]
    on_it = await booking_store.of_ids(tx, owners) if owners else []
    movable = [each for each in on_it if each.status in {Status.HELD, *DISPLACEABLE}]
    stays = _staying(clash.bookings, movable) + [each for found in clash.blocks.values() for each in found]
    free = [each for each in missing if not any(_meets(each, other) for other in stays)]
    shift = await evict_expired_holds(tx, free, Occupancy.of(clash.expired, now=tx.now))
    shift += await cut_cleaning(tx, clash, free)
    shift += Shift(freed=await give_up(tx, movable), taken=free)
    await claims.take(tx, free)
    await displace(tx, movable, venue=venue, block_id=block.id)
    return shift


def _owners(found: dict[UUID, list[Claim]], missing: Iterable[Claim]) -> Iterable[UUID]:
    """Those on a unit that is missing: the block has the others already."""
    wanted = list(missing)
    return (id_ for id_, own in found.items() if any(_meets(each, other) for each in own for other in wanted))


def _staying(found: dict[UUID, list[Claim]], movable: Sequence[Booking]) -> list[Claim]:
    gone = {each.id for each in movable}
    return [each for id_, own in found.items() if id_ not in gone for each in own]


def _meets(one: Claim, other: Claim) -> bool:
    return (one.resource_id, one.unit) == (other.resource_id, other.unit) and one.span.overlaps(other.span)


def _key(claim: Claim) -> tuple[UUID, int, Span]:
    return claim.resource_id, claim.unit, claim.span
