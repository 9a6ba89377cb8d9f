"""The availability check of an order."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from holdfast.assigning.combine import capacity
from holdfast.booking.deciding.conflicts import CONFLICTS_MAX, conflicts_of
from holdfast.booking.deciding.decide import quoted
from holdfast.booking.deciding.order import Place
from holdfast.booking.deciding.stays import from_now
from holdfast.booking.finding.orders import check_order_rules, look_for_order, room_for_order
from holdfast.booking.finding.search import Outlook
from holdfast.booking.finding.suggest import suggest
from holdfast.booking.making.sales_store import read_sales
from holdfast.booking.price import price_json
from holdfast.booking.wanted import Prepared
from holdfast.kernel.db.tx import Tx


async def check_order(tx: Tx, order: Prepared) -> dict[str, Any]:
    """Returns whether there is room for all of it, like `availability.check`. Nothing is reserved. Raises the same
    errors as creating the order if the venue's rules refuse it."""
    order = from_now(order, tx.now)
    outlook = await look_for_order(tx, order, order.span)
    check_order_rules(order, outlook)
    place = await room_for_order(tx, order, outlook)
    if order.sale.is_limited:
        sales = await read_sales(tx, [order], but=order.wanted.instead_of)
        sales.check_stock(order.venue, order.span, order.sale)
        sales.check_uses(order.venue, order.sale.discount)
    best = tuple(each.sets[0] for each in order.items)
    shown = place or Place(tuple(each for own in best for each in own), [], best)
    price, _ = quoted(order, shown, tx.ports.pricing, now=tx.now)
    conflicts = list[dict[str, object]]()
    for item in order.items if place is None else ():  # several may have the same
        conflicts += [each for each in conflicts_of(item, outlook.occupancy) if each not in conflicts]
    return {
        "available": place is not None,
        "options": [_option(order, place, outlook)] if place else [],
        "price": price_json(price),
        "conflicts": conflicts[:CONFLICTS_MAX],
        "suggested_slots": [] if place else await suggest(tx, order),
        "can_join_waitlist": False,
    }


def _option(order: Prepared, place: Place, outlook: Outlook) -> dict[str, Any]:
    """Shows no resources of an item for which others must move: it can't be had by name."""
    own = list[list[UUID]]()
    for item, resources in zip(order.items, place.of_items, strict=True):
        is_free = all(outlook.is_free(each, order.span, item.wanted.party_size) for each in resources)
        own.append([each.id for each in resources] if is_free else [])
    wasted = [
        max(capacity(order.venue, ids).seats_max - item.wanted.party_size, 0)
        for item, ids in zip(order.items, own, strict=True)
    ]
    return {
        "resource_ids": list(dict.fromkeys(id_ for ids in own for id_ in ids)),
        "items": [{"resource_ids": ids} for ids in own],
        "seats_wasted": sum(wasted),
    }
