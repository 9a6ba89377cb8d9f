"""Takes one item out of an order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from holdfast.booking import store
from holdfast.booking.making.claiming import arriving
from holdfast.booking.model import Booking
from holdfast.booking.move import Move, check_version, fee_of, require_right, take
from holdfast.booking.said import Item
from holdfast.booking.states import TERMINAL, InvalidTransition, Status
from holdfast.booking.store import Step
from holdfast.channel.announce import announce
from holdfast.claim import store as claims
from holdfast.claim.model import Claim, Shift, units_needed
from holdfast.kernel.actor import require_visible
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import NotFound
from holdfast.place.venue import Venue
from holdfast.port.lines import without

ACTION = "cancel_item"
ENDS_AS_A_WHOLE = (Status.CHECKED_IN, *TERMINAL)
"""Once the party is there, the order ends as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemCancellation:
    """An item to take out. `expected_version`: the version of the order that the caller saw."""

    booking_id: UUID
    item_id: UUID
    expected_version: int
    reason: str | None = None


async def cancel_item(tx: Tx, asked: ItemCancellation, *, venue: Venue) -> Booking:
    """Cancels the item and returns the order; with its last item, the order is cancelled. No rule is asked about the
    items that stay: they keep their places, and their lines of the price.

    If the item is cancelled already, the order is returned as it is. Runs under the lock of `venue`, the booking's
    venue. Raises NotFound, VersionConflict, InvalidTransition, Forbidden.
    """
    before = await store.get(tx, venue.tenant_id, asked.booking_id, for_update=True)
    require_visible(before, tx.actor)
    item = next((each for each in before.items if each.id == asked.item_id), None)
    if item is None:
        raise NotFound(f"There is no item {asked.item_id} in this booking.")
    if item.is_cancelled or before.status is Status.CANCELLED:
        return before
    left = [each for each in before.items if not each.is_cancelled and each.id != item.id]
    if not left:
        whole = Move(
            booking_id=before.id,
            to=Status.CANCELLED,
            expected_version=asked.expected_version,
            reason=asked.reason,
        )
        return await take(tx, before, whole, venue=venue)
    check_version(tx, before, asked.expected_version)
    if before.status in ENDS_AS_A_WHOLE:
        raise InvalidTransition(
            f"The order is {before.status}: its items can no longer be cancelled one by one.",
            **{"from": before.status, "to": Status.CANCELLED, "allowed": []},
        )
    require_right(tx, before, Status.CANCELLED, venue)
    after = _after(before, item, left, tx)
    shift = await _free(tx, before, item, left, venue)
    fee = fee_of(before, venue, tx, of_minor=before.total_minor - after.total_minor)
    step = Step(
        booking=after,
        from_status=before.status,
        action=ACTION,
        actor=str(tx.actor),
        reason=asked.reason,
        metadata={"item_id": item.id, **fee},
        traceparent=tx.traceparent,
        facts={"cancelled_item_id": item.id},
    )
    await store.save(tx, [step])
    shift += arriving([before], [after])
    await announce(tx, venue, shift, reason=step.event_type)
    return after


def _after(before: Booking, item: Item, left: Sequence[Item], tx: Tx) -> Booking:
    return replace(
        before,
        version=before.version + 1,
        updated_at=tx.now,
        items=tuple(
            replace(each, is_cancelled=each.is_cancelled or each.id == item.id) for each in before.items
        ),
        party_size=sum(each.party_size for each in left),
        resource_ids=tuple(dict.fromkeys(id_ for each in left for id_ in each.resource_ids)),
        price=without(before.price, item.lines, minimum_spend_minor=item.minimum_spend_minor),
    )


async def _free(tx: Tx, before: Booking, item: Item, left: Sequence[Item], venue: Venue) -> Shift:
    """Frees what only the item claims. The other claims stay as they are."""
    if not before.occupies:
        return Shift()
    claimed = await claims.free(tx, [(before.tenant_id, before.id)])
    needed = _needed(left, venue)
    gone: list[Claim] = []
    for leaf_id in _needed([item], venue):
        # Nobody can tell units apart, so any of them will do for the others.
        on_it = sorted((each for each in claimed if each.resource_id == leaf_id), key=lambda each: each.unit)
        gone += on_it[needed[leaf_id] :]
    await claims.take(tx, [each for each in claimed if each not in gone])
    return Shift(freed=gone)


def _needed(items: Sequence[Item], venue: Venue) -> Counter[UUID]:
    """Returns how many units of each resource the items claim. Of a removed resource: one."""
    found = Counter[UUID]()
    for each in items:
        for id_ in each.resource_ids:
            resource = venue.resources.get(id_)
            if resource is None:
                found[id_] += 1
            else:
                for leaf in resource.claimed:
                    found[leaf.id] += units_needed(resource, leaf, each.party_size)
    return found
