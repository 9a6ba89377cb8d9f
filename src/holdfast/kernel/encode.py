"""JSON encoding for the database and for clients."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson


def encode(value: Any) -> bytes:
    """Encodes the value as JSON: also dataclasses, datetimes (RFC 3339, UTC with a Z), UUIDs and enums.

    Raises TypeError for other types.
    """
    return orjson.dumps(value, default=json_default, option=orjson.OPT_UTC_Z)


def json_default(value: Any) -> Any:
    # asyncpg has its own UUID class, which orjson does not recognise.
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON")
