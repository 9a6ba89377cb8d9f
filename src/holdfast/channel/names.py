"""Channels: their names, and how much of them guests may see."""

from __future__ import annotations

from datetime import date
from uuid import UUID

ChannelKey = tuple[UUID, UUID, str]
"""A channel inside: tenant, venue, name."""
ChannelView = tuple[ChannelKey, bytes, bool]
"""A channel as one reader sees it: with the name that the client uses for it (as JSON), and whether as staff, who see
all five states and who changed them."""

BLOCKED_REASON = "closed for maintenance"
"""What guests see as the reason of a block; the real one is the venue's business."""
BOOKINGS = "bookings"
"""The channel of a venue with every change of its bookings, blocks and waitlist; for staff."""


def availability(day: date, slot_id: str) -> str:
    """The channel with the states of a venue's resources in one slot of one opening day."""
    return f"{day.isoformat()}:{slot_id}"


def slot_of(name: str) -> tuple[date, str] | None:
    """Day and slot of a channel of availability; None for another channel. Raises ValueError."""
    if name == BOOKINGS:
        return None
    day, _, slot_id = name.partition(":")
    return date.fromisoformat(day), slot_id


def public_epoch(epoch: int, history: str) -> str:
    """The epoch of a channel as clients see it: it changes whenever history was lost."""
    return f"{epoch:08x}-{history}"


def guest_state(state: str) -> str:
    """The state as guests see it: whether the resource can be booked."""
    return "available" if state == "available" else "unavailable"
