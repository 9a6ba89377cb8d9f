"""What channels are called: inside, and by those who listen."""

from __future__ import annotations

from datetime import date

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
