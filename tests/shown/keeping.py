"""What a change may keep, although a new booking could not have it."""

from __future__ import annotations

from holdfast.booking.deciding.stays import began_of
from holdfast.booking.model import Booking
from holdfast.booking.rules.length import DURATION_RULE
from holdfast.booking.said import Asker
from holdfast.kernel.errors import HoldfastError

from .world import World


def asker_about(world: World, booking: Booking, *, is_staff: bool) -> Asker:
    """Who asks for another time of a booking, which counts for its own guest and keeps its place."""
    source, own, began = booking.details.source, booking.resource_ids, began_of(booking)
    if not world.venue.policy.fair_use:
        return Asker(is_staff, source, groups=frozenset() if is_staff else world.groups, own=own, began=began)
    if is_staff:
        return Asker(True, source, booking.guest.id, own=own, began=began)
    return Asker(False, source, booking.guest.id, world.groups, booking.booked_ip, own, began)


def may_keep(booking: Booking, changed: Booking, refusal: HoldfastError | None) -> bool:
    """Whether the check refuses on purpose what a change may do: it is about a booking that would be new then."""
    code = None if refusal is None else refusal.code
    has_no_place_yet = not booking.occupies  # and takes none: staff choose it later
    keeps_start = booking.start_at == changed.start_at and code in ("TOO_SOON", "OFF_SLOT_STEP")
    is_as_long = booking.span.duration == changed.span.duration
    keeps_length = is_as_long and refusal is not None and refusal.fields.get("rule") == DURATION_RULE
    # Also a promise that it could not be given now, because what would do is held back.
    keeps_place = booking.resource_ids == changed.resource_ids
    keeps_time = booking.span == changed.span and (keeps_place or refusal is not None)
    return has_no_place_yet or keeps_start or keeps_length or keeps_time
