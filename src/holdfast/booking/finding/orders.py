"""Whether there is room for an order of several things at a time."""

from __future__ import annotations

from holdfast.booking.deciding.order import Place
from holdfast.booking.deciding.prepare import check_time, find_place
from holdfast.booking.finding.look import look
from holdfast.booking.finding.search import Outlook
from holdfast.booking.rules.pacing import check_arrived
from holdfast.booking.wanted import Prepared
from holdfast.claim import store as claims
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.span import Span


async def look_for_order(tx: Tx, order: Prepared, span: Span) -> Outlook:
    """Reads what a search of room for the order needs, for times within the span."""
    asked = order.wanted
    is_type = any(each.wanted.is_of_type for each in order.items)
    return await look(tx, order.venue, order.sets, span, asked.asker, but=asked.instead_of, is_type=is_type)


def check_order_rules(order: Prepared, outlook: Outlook) -> None:
    """Raises the refusal of the venue's rules, if they refuse the order at its time."""
    asker = outlook.asker
    if outlook.allowance is not None:
        outlook.allowance.check(order.span, things=len(order.items))
    for each in order.items:
        check_time(
            order.venue,
            each.sets[0] if each.wanted.resource_ids else (),
            order.span,
            now=outlook.now,
            among=each.sets,
            slot_id=order.slot_id,
            is_staff=asker.is_staff,
        )
    check_arrived(
        order.venue,
        outlook.arrived,
        order.span.start,
        slot_id=order.slot_id,
        source=asker.source,
        party_size=order.wanted.party_size,
    )


async def room_for_order(tx: Tx, order: Prepared, outlook: Outlook) -> Place | None:
    """Returns room for all of the order; None if there is none. Nothing is reserved."""
    occupancy = outlook.occupancy
    while isinstance(found := find_place(order, occupancy), list):
        known = await claims.overlapping(tx, found)
        occupancy.learn([each for each in known if each.owner_id != order.wanted.instead_of], found)
    return found
