"""New ids."""

from __future__ import annotations

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562): the time in ms, then 74 random bits. They sort by creation, roughly."""
    return uuid7()
