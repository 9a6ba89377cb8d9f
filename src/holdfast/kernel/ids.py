"""New ids."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): the time in ms, then 74 random bits. They sort by creation, roughly."""
    return uuid7()


def first_id_at(instant: datetime) -> UUID:
    """The lowest UUIDv7 of that millisecond: all ids made before it are less."""
    return UUID(int=int(instant.timestamp() * 1000) << 80)
