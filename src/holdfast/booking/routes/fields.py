"""Types of free-form fields in requests, with their bounds."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema

from holdfast.kernel.body import Problem, refuse
from holdfast.kernel.text import free_form, one_line
from holdfast.place.storable import INTEGER_MAX

METADATA_BYTES_MAX = 4096
ATTRIBUTES_MAX = 50
NAME_CHARS_MAX, ATTRIBUTE_CHARS_MAX = 100, 500
FLOAT_MAX = sys.float_info.max


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if not value:
        return value
    try:
        encoded = orjson.dumps(value)
        json.dumps(value, allow_nan=False)  # orjson writes NaN and infinity as null
    except (TypeError, ValueError):
        raise ValueError("must have only finite numbers, and integers of at most 64 bits") from None
    if len(encoded) > METADATA_BYTES_MAX:
        raise ValueError(f"must be at most {METADATA_BYTES_MAX} bytes of JSON, but has {len(encoded)}")
    if b"\\u0000" in encoded:
        raise ValueError("must not contain the character NUL")
    return value


def _plain_values(value: dict[str, Any]) -> dict[str, Any]:
    if len(value) > ATTRIBUTES_MAX:
        raise ValueError(f"must have at most {ATTRIBUTES_MAX} names, but has {len(value)}")
    refuse("Preferences", [found for name, each in value.items() for found in _wrong(name, each)])
    return value


def _wrong(name: str, value: Any) -> Iterator[Problem]:
    """Yields what is wrong with one attribute. Pydantic would report one error for each type of a union."""
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
            raise ValueError("must be a string, a number, true or false")


Metadata = Annotated[
    dict[str, JsonValue],
    Field(json_schema_extra=free_form(METADATA_BYTES_MAX)),
    AfterValidator(_small),
]
"""The client's own data about a booking: at most 4096 bytes of JSON."""
ANSWERS_BYTES_MAX = 32 * 1024


def _few(value: dict[str, Any]) -> dict[str, Any]:
    refuse("Answers", [problem for id_, each in value.items() for problem in _too_large(id_, each)])
    size = len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    if size > ANSWERS_BYTES_MAX:
        raise ValueError(f"must be at most {ANSWERS_BYTES_MAX} bytes of JSON, but has {size}")
    return value


def _too_large(id_: str, value: Any) -> Iterator[Problem]:
    if isinstance(value, list | dict):
        for each in value if isinstance(value, list) else value.values():
            yield from _too_large(id_, each)
    elif isinstance(value, int) and abs(value) > INTEGER_MAX:
        yield Problem((id_,), value, f"must be from -{INTEGER_MAX} to {INTEGER_MAX}")


Answers = Annotated[
    dict[str, JsonValue], Field(json_schema_extra=free_form(ANSWERS_BYTES_MAX)), AfterValidator(_few)
]
"""Answers to the venue's questions, by id of the question: text, a number, a date, true or false."""
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
"""Attributes that a resource must have, such as `{"view": "sea"}`."""
