"""Gives a name to each set of values that several models use, so that clients have one type for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from holdfast.booking.routes.fields import Source
from holdfast.kernel.body import REF_TEMPLATE
from holdfast.place.document import RESOURCE_KINDS
from holdfast.place.opening.spans import DAYS

Json = dict[str, Any]

NAMES = {get_args(Source): "BookingSource", DAYS: "Weekday", RESOURCE_KINDS: "ResourceKind"}
"""Of the others, the first model and field that have them make the name."""


def name_enums(schemas: Json) -> None:
    """Moves the enums that occur in several places of these schemas into schemas of their own."""
    found: dict[tuple[str, ...], list[tuple[str, Json]]] = {}
    for model, schema in list(schemas.items()):
        for field, part in _enums_in(schema):
            found.setdefault(tuple(part["enum"]), []).append((f"{model}{_camel(field)}", part))
    for values, places in found.items():
        if len(places) > 1:
            name = NAMES.get(values, places[0][0])
            schemas[name] = {"type": "string", "title": name, "enum": list(values)}
            for _, part in places:
                del part["enum"], part["type"]
                part["$ref"] = REF_TEMPLATE.format(model=name)


def _enums_in(value: Any, field: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(value, list):
        for each in value:
            yield from _enums_in(each, field)
    elif isinstance(value, dict):
        if field and "enum" in value and value.get("type") == "string":
            yield field, value
        for name, each in value.items():
            if name == "properties":
                for own, schema in each.items():
                    yield from _enums_in(schema, own)
            elif name not in ("examples", "enum"):
                yield from _enums_in(each, field)


def _camel(name: str) -> str:
    return name.title().replace("_", "")
