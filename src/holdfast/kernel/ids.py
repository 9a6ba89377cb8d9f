"""Ids: UUIDv7."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

new_id: Callable[[], UUID] = uuid7
"""Returns a new UUIDv7 (RFC 9562): the time in ms, then 74 random bits. Ids sort roughly by creation time."""


def first_id_at(instant: datetime) -> UUID:
    """Returns the lowest UUIDv7 of that millisecond: all ids created earlier sort before it."""
    return UUID(int=int(instant.timestamp() * 1000) << 80)
