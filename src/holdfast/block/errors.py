"""What can stand in a block's way."""

from __future__ import annotations

from holdfast.kernel.errors import HoldfastError


class BlockOverlapsBookings(HoldfastError):
    """There are bookings at that time: move them, or ask with on_conflict "displace".

    Fields `bookings` (the first BOOKINGS_SHOWN_MAX of them) and `bookings_total`.
    """

    code = "BLOCK_OVERLAPS_BOOKINGS"


class BlockOverlapsBlocks(HoldfastError):
    """Another block takes these resources at that time: cancel it, or take another time.

    Field `blocks`: [{id, kind, reason, start, end, resource_ids}].
    """

    code = "BLOCK_OVERLAPS_BLOCKS"
