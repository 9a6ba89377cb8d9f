"""JSON as it goes to the database and to clients."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson


def encode(value: Any) -> bytes:
    """The value as JSON: dataclasses, datetimes (RFC 3339, UTC with a Z), UUIDs and enums included.

    Raises TypeError for what has no JSON.
    """
    return orjson.dumps(value, default=_other, option=orjson.OPT_UTC_Z)


def encode_text(value: Any) -> str:
    """The same as text, for statements that take JSON."""
    return orjson.dumps(value, default=_other, option=orjson.OPT_UTC_Z).decode()


def _other(value: Any) -> Any:
    # asyncpg answers with a UUID class of its own, which orjson does not take for one.
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON")
