"""The kinds of values that clients send, with their bounds."""

from __future__ import annotations

import json
from datetime import UTC, date
from typing import Annotated, Any, TypeVar
from uuid import UUID

import orjson
from pydantic import AfterValidator, AwareDatetime, Field, JsonValue

D = TypeVar("D", bound=date)

METADATA_BYTES_MAX = 4096
YEAR_MIN, YEAR_MAX = 2000, 2200
RESOURCES_MAX = 50
PARTY_MAX = 100_000
MINUTES_MAX = 366 * 24 * 60


def _in_years(value: D) -> D:
    if not YEAR_MIN <= value.year <= YEAR_MAX:
        raise ValueError(f"must lie in the years {YEAR_MIN} to {YEAR_MAX}")
    return value


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain the character NUL")
    return value


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if not value:
        return value
    try:
        encoded = orjson.dumps(value)
        json.dumps(value, allow_nan=False)  # orjson would make null of what is no number
    except (TypeError, ValueError):
        raise ValueError("must hold finite numbers, and integers of at most 64 bits") from None
    if len(encoded) > METADATA_BYTES_MAX:
        raise ValueError(f"must be at most {METADATA_BYTES_MAX} bytes of JSON; this is {len(encoded)}")
    if b"\\u0000" in encoded:
        raise ValueError("must not contain the character NUL")
    return value


def _each_once(value: tuple[UUID, ...]) -> tuple[UUID, ...]:
    if len(set(value)) != len(value):
        raise ValueError("must name each resource once")
    return value


Instant = Annotated[AwareDatetime, AfterValidator(_in_years), AfterValidator(lambda at: at.astimezone(UTC))]
Day = Annotated[date, AfterValidator(_in_years)]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_small)]
ResourceIds = Annotated[
    tuple[UUID, ...], Field(min_length=1, max_length=RESOURCES_MAX), AfterValidator(_each_once)
]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


def text(limit: int) -> Any:
    """A text of 1 to `limit` characters that the database can hold."""
    return Annotated[str, Field(min_length=1, max_length=limit), AfterValidator(_storable)]


Key = text(255)
