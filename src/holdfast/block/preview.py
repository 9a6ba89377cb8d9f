"""What a block would be and whom it would hit, before it is made."""

from __future__ import annotations

from typing import Any

from holdfast.block import clash
from holdfast.block.create import DISPLACED_MAX
from holdfast.block.define import Wanted, define
from holdfast.block.expand import occurrences_of
from holdfast.booking.displace import owners
from holdfast.booking.states import DISPLACEABLE, Status
from holdfast.kernel.tx import Tx
from holdfast.place.places import Places
from holdfast.place.venue import Venue


async def preview(tx: Tx, wanted: Wanted, *, venue: Venue, places: Places) -> dict[str, Any]:
    """The occurrences that would block, and the bookings and blocks that they would meet; nothing is written.

    `can_displace`: whether it could be made with on_conflict "displace" as things are now. Raises what
    `create` does about the request itself: InvalidRequest.
    """
    venue = await places.current(tx, venue)
    defined = define(wanted, venue, by=str(tx.actor), now=tx.now)
    found = await clash.find_clash(tx, defined.claims, own_id=defined.block.id)
    bookings = await owners(tx, venue.tenant_id, list(found.bookings)[: clash.BOOKINGS_SHOWN_MAX])
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
        "bookings": [clash.booking_shown(each, venue) for each in bookings],
        "bookings_total": len(found.bookings),
        "blocks": await clash.blocks_shown(tx, venue, found),
        "can_displace": few
        and not found.blocks
        and all(each.status in {Status.HELD, *DISPLACEABLE} for each in bookings),
    }
