"""The kinds of values that clients send, with their bounds."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, date
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import orjson
from pydantic import AfterValidator, AwareDatetime, Field, JsonValue, WithJsonSchema

from holdfast.kernel.body import Problem, refuse
from holdfast.kernel.text import free_form, line, one_line
from holdfast.place.storable import INTEGER_MAX

D = TypeVar("D", bound=date)

METADATA_BYTES_MAX = 4096
YEAR_MIN, YEAR_MAX = 2000, 2200
RESOURCES_MAX = 50
PARTY_MAX = 100_000
MINUTES_MAX = 366 * 24 * 60
ATTRIBUTES_MAX = 50
NAME_CHARS_MAX, ATTRIBUTE_CHARS_MAX = 100, 500
FLOAT_MAX = sys.float_info.max


def _in_years(value: D) -> D:
    if not YEAR_MIN <= value.year <= YEAR_MAX:
        raise ValueError(f"must lie in the years {YEAR_MIN} to {YEAR_MAX}")
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


def _plain_values(value: dict[str, Any]) -> dict[str, Any]:
    if len(value) > ATTRIBUTES_MAX:
        raise ValueError(f"must have at most {ATTRIBUTES_MAX} names; these are {len(value)}")
    refuse("Preferences", [found for name, each in value.items() for found in _wrong(name, each)])
    return value


def _wrong(name: str, value: Any) -> Iterator[Problem]:
    """What is wrong with one attribute. A union of types would report one error for each type that it isn't."""
    try:
        if len(one_line(name)) > NAME_CHARS_MAX:
            raise ValueError(f"a name must have at most {NAME_CHARS_MAX} characters")
    except ValueError as error:
        yield Problem((), None, str(error))
        return
    try:
        _check_plain(value)
    except ValueError as error:
        yield Problem((name,), value, str(error))


def _check_plain(value: Any) -> None:
    match value:
        case bool():
            pass
        case int() if abs(value) > INTEGER_MAX:
            raise ValueError(f"must be from -{INTEGER_MAX} to {INTEGER_MAX}; write larger numbers as text")
        case float() if not abs(value) <= FLOAT_MAX:
            raise ValueError("must be a finite number")
        case str() if len(one_line(value)) > ATTRIBUTE_CHARS_MAX:
            raise ValueError(f"must have at most {ATTRIBUTE_CHARS_MAX} characters")
        case str() | int() | float():
            pass
        case _:
            raise ValueError("must be a text, a number, true or false")


def _each_once(value: tuple[UUID, ...]) -> tuple[UUID, ...]:
    if len(set(value)) != len(value):
        raise ValueError("must name each resource once")
    return value


Instant = Annotated[AwareDatetime, AfterValidator(_in_years), AfterValidator(lambda at: at.astimezone(UTC))]
Day = Annotated[date, AfterValidator(_in_years)]
Metadata = Annotated[
    dict[str, JsonValue],
    Field(json_schema_extra=free_form(METADATA_BYTES_MAX)),
    AfterValidator(_small),
]
"""A client's own data about a booking: at most 4096 bytes of JSON."""
Attributes = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": ATTRIBUTES_MAX,
            "propertyNames": {"maxLength": NAME_CHARS_MAX},
            "additionalProperties": {
                "anyOf": [
                    {"type": "string", "maxLength": ATTRIBUTE_CHARS_MAX},
                    {"type": "integer", "minimum": -INTEGER_MAX, "maximum": INTEGER_MAX},
                    {"type": "number", "minimum": -FLOAT_MAX, "maximum": FLOAT_MAX},
                    {"type": "boolean"},
                ]
            },
        }
    ),
    AfterValidator(_plain_values),
]
"""Attributes that a resource must have: `{"view": "sea"}`."""
ResourceIds = Annotated[
    tuple[UUID, ...], Field(min_length=1, max_length=RESOURCES_MAX), AfterValidator(_each_once)
]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


Key = line(255)
Source = Literal["web", "phone", "email", "walk_in", "partner", "api", "import"]
"""Where a booking came from."""
GUEST_SOURCES: frozenset[Source] = frozenset({"web", "api"})
"""Only staff use the others."""
