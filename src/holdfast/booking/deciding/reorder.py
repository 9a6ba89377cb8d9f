"""A requested change of an order: of its time, or of its items. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from holdfast.assigning.preferences import ANYTHING, Preferences
from holdfast.booking.deciding.nearby import prepared_nearby
from holdfast.booking.deciding.order import ITEMS_MAX, prepare_order
from holdfast.booking.deciding.prepare import sets_for
from holdfast.booking.model import Booking
from holdfast.booking.rules.override import Overruled
from holdfast.booking.said import Item
from holdfast.booking.wanted import ItemWanted, Prepared, Wanted
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource, Venue


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemChange:
    """A change of one item of an order, or a new one. None means unchanged."""

    id: UUID
    is_new: bool = False
    party_size: int | None = None
    resource_ids: tuple[UUID, ...] | None = None
    preferences: Preferences | None = None


class AsksForWhole(Protocol):
    """What a change asks of the booking itself."""

    @property
    def party_size(self) -> int | None: ...
    @property
    def resource_ids(self) -> tuple[UUID, ...] | None: ...
    @property
    def preferences(self) -> Preferences | None: ...


def check_items(asked: AsksForWhole, before: Booking, items: Sequence[ItemChange]) -> None:
    """Raises InvalidRequest if an order is changed like a single booking, or the other way round, or an item is
    wrong."""
    if items and not before.items:
        raise InvalidRequest.of(
            "items", None, "is for orders: change party_size, group or resource_ids of this booking"
        )
    if not before.items:
        return
    for name in ("party_size", "resource_ids", "preferences"):
        if getattr(asked, name) is not None:
            raise InvalidRequest.of(
                name, None, "belongs to one item of this order: give it in items, with the item's id"
            )
    there = {each.id for each in before.items if not each.is_cancelled}
    for number, each in enumerate(items):
        if each.is_new and each.party_size is None:
            raise InvalidRequest.of(f"items.{number}.party_size", None, "is required for a new item")
        if not each.is_new and each.id not in there:
            listing = ", ".join(str(id_) for id_ in sorted(there))
            problem = f"must be an item of this order that is not cancelled: {listing}"
            raise InvalidRequest.of(f"items.{number}.id", str(each.id), problem)
    if len(there) + sum(each.is_new for each in items) > ITEMS_MAX:
        raise InvalidRequest.of(
            "items", len(items), f"an order has at most {ITEMS_MAX} items that are not cancelled"
        )


def reorder(
    wanted: Wanted,
    changes: Sequence[ItemChange],
    venue: Venue,
    span: Span,
    slot_id: str | None,
    over: Overruled | None,
) -> Prepared:
    """Returns the request for what the order will be. `wanted`: for what it is. An item whose place the house chose
    keeps it if it still fits. Raises the errors of `candidate_sets`."""
    by_id: Mapping[UUID, ItemChange] = {each.id: each for each in changes}
    items = [_changed(each.released, by_id.get(each.id)) for each in wanted.items]
    items += [
        ItemWanted(
            id=each.id,
            party_size=each.party_size or 1,
            resource_ids=each.resource_ids or (),
            preferences=each.preferences or ANYTHING,
        )
        for each in changes
        if each.is_new
    ]
    kept = {each.id: each.kept for each in items}

    def sets(item: Wanted, venue: Venue, over: Overruled | None) -> tuple[tuple[Resource, ...], ...]:
        own = kept[item.id]
        if own and not item.resource_ids:
            return prepared_nearby(item, own, venue, span, slot_id, over).all_sets
        return sets_for(item, venue, over)

    size = sum(each.party_size for each in items)
    return prepare_order(
        replace(wanted, items=tuple(items), party_size=size), venue, span, slot_id, over, sets
    )


def _changed(item: ItemWanted, change: ItemChange | None) -> ItemWanted:
    if change is None:
        return item
    size = change.party_size or item.party_size
    if change.resource_ids is not None:
        return replace(item, party_size=size, resource_ids=change.resource_ids, named=True, kept=())
    if change.preferences is not None and (item.resource_ids or change.preferences != item.preferences):
        return replace(
            item, party_size=size, resource_ids=(), preferences=change.preferences, named=False, kept=()
        )
    return replace(item, party_size=size)


def with_cancelled(items: Sequence[Item], before: Sequence[Item]) -> tuple[Item, ...]:
    """Returns the items of a changed order in their old order, with those that were cancelled before."""
    now = {each.id: each for each in items}
    old = [now.pop(each.id, each) for each in before]
    return (*old, *now.values())
