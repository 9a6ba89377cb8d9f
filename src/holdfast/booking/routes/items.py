"""POST /bookings/{id}/items/{item_id}/cancel."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from holdfast.booking.cancel_item import ItemCancellation, cancel_item
from holdfast.booking.routes.changing import CancelBooking, apply, find_booking
from holdfast.booking.routes.shown import BOOKING
from holdfast.kernel.http import IfMatch, json_body, required_version, show_reply
from holdfast.place.routes.at_hand import AskedChange

router = APIRouter()


@router.post(
    "/bookings/{booking_id}/items/{item_id}/cancel",
    operation_id="cancel_booking_item",
    summary="Cancel one item of an order",
    responses={200: BOOKING},
)
async def post_cancel_item(
    booking_id: UUID,
    item_id: UUID,
    body: Annotated[CancelBooking, json_body(CancelBooking)],
    if_match: IfMatch,
    asked: AskedChange,
) -> Response:
    """Take one thing out of an order. Its resources are free at once; the others keep their places and prices. With its
    last item, the order is cancelled."""
    version = required_version(body.expected_version, if_match)
    _, venue = await find_booking(asked.engine, asked.actor, booking_id)
    wanted = ItemCancellation(
        booking_id=booking_id, item_id=item_id, expected_version=version, reason=body.reason
    )
    key = asked.keyed(venue, "cancel_item", body, about=f"{booking_id} {item_id} {version}")
    return show_reply((await apply(asked, venue, cancel_item, wanted, key)).reply)
