"""Types of fields in requests about bookings, with their bounds."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema

from holdfast.assigning.preferences import Preferences
from holdfast.kernel.body import Body, Problem, refuse
from holdfast.kernel.text import free_form, line, one_line
from holdfast.place.storable import INTEGER_MAX

METADATA_BYTES_MAX = 4096
ATTRIBUTES_MAX = 50
NAME_CHARS_MAX, ATTRIBUTE_CHARS_MAX = 100, 500
FLOAT_MAX = sys.float_info.max
EXTRAS_MAX = 50
EXTRA_QUANTITY_MAX = 10_000


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


Group = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", examples=["double-sea"])]


class PreferencesBody(Body):
    """Which resources suit, if `resource_ids` is omitted. An omitted preference means that any will do."""

    kinds: tuple[line(50), ...] = Field(default=(), max_length=20)  # pyright: ignore[reportInvalidTypeForm]
    zones: tuple[line(100), ...] = Field(default=(), max_length=100)  # pyright: ignore[reportInvalidTypeForm]
    attributes: Attributes = Field(default_factory=dict)

    def value(self) -> Preferences:
        return Preferences(self.kinds, self.zones, tuple(sorted(self.attributes.items())))


class ExtraBody(Body):
    """An extra that a booking takes."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    """The id of an extra of the venue."""
    quantity: int | None = Field(default=None, ge=1, le=EXTRA_QUANTITY_MAX)
    """How many. Default: one for each guest if it is priced per guest, otherwise one."""


def _each_extra_once(value: tuple[ExtraBody, ...]) -> tuple[ExtraBody, ...]:
    if len({each.id for each in value}) != len(value):
        raise ValueError("must name each extra once: give its quantity")
    return value


Extras = Annotated[tuple[ExtraBody, ...], Field(max_length=EXTRAS_MAX), AfterValidator(_each_extra_once)]


Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
OverrideCode = Annotated[str, Field(pattern=r"^[A-Z_]{1,64}$", examples=["PACING_EXCEEDED"])]
OverrideCodes = Annotated[tuple[OverrideCode, ...], Field(min_length=1, max_length=20)]
Key = line(255)
Source = Literal["web", "phone", "email", "walk_in", "partner", "api", "import"]
"""Where a booking came from."""
GUEST_SOURCES: frozenset[Source] = frozenset({"web", "api"})
"""The sources that guests may use; the others are for staff."""
