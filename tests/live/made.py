"""Events as if they had been read."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from holdfast.live.frames import ChannelEvent

TENANT, VENUE = UUID(int=1), UUID(int=2)


def told(n: int, *, channel: str = "bookings", size: int = 10) -> ChannelEvent:
    """The n-th event of all, and the n-th of that channel."""
    fields = b'"n":%d,"x":"%b"}' % (n, b"x" * size)
    key = (TENANT, VENUE, channel)
    return ChannelEvent(n, key, 1, n, "booking.created", datetime.now(UTC), staff=fields, guest=fields)
