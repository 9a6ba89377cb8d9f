"""Channels: their names, and how much of them guests may see."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple
from uuid import UUID

ChannelKey = tuple[UUID, UUID, str]
"""A channel's internal key: tenant, venue, name."""


class Viewer(NamedTuple):
    """Who looks at a channel: staff of the venue, who see all five states and who changed them, or a guest who is in
    these groups of guests, in order."""

    is_staff: bool = False
    groups: tuple[str, ...] = ()


PUBLIC_VIEW = Viewer()
STAFF_VIEW = Viewer(is_staff=True)
ChannelView = tuple[ChannelKey, bytes, Viewer]
"""A channel as one subscriber sees it: its key, the client's name for it (as JSON), and who the subscriber is."""

BLOCKED_REASON = "closed for maintenance"
"""The reason for a block that guests see; the real one is internal to the venue."""
CLOSED_REASON = "closed"
"""The reason for a resource that the rules of the venue leave closed in a slot."""
BOOKINGS = "bookings"
"""The venue's channel with every change of its bookings, blocks and waitlist; for staff."""


def availability(day: date, slot_id: str) -> str:
    """Returns the name of the channel with the states of a venue's resources in one slot of one opening day."""
    return f"{day.isoformat()}:{slot_id}"


def slot_of(name: str) -> tuple[date, str] | None:
    """Returns day and slot of an availability channel; None for another channel. Raises ValueError."""
    if name == BOOKINGS:
        return None
    day, _, slot_id = name.partition(":")
    return date.fromisoformat(day), slot_id


def public_epoch(epoch: int, history: str) -> str:
    """Returns the channel's epoch as clients see it; it changes whenever history was lost."""
    return f"{epoch:08x}-{history}"


def staff_state(state: str, *, closed: bool = False) -> str:
    """Returns the state as staff see it: what is closed and not taken is blocked."""
    return "blocked" if closed and state == "available" else state


def guest_state(state: str, *, is_time: bool = True) -> str:
    """Returns the state as guests see it: whether the resource can be booked. `is_time`: whether that is possible at
    this time, notice and the like considered."""
    return "available" if state == "available" and is_time else "unavailable"
