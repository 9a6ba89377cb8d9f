"""Nothing that a client sends is without bounds, and the documents say what these are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from holdfast.live.ws import Op

from .leaves import Schemas

Json = dict[str, Any]

FORMATS = {"date", "date-time", "uuid"}
"""Formats of which no value is long."""


def unbounded(schemas: Schemas, schema: Json, where: str) -> Iterator[str]:
    """What has no bounds in it, each with its place."""
    for each in schemas.alternatives(schema):
        kind = each.get("type")
        if "enum" in each or "const" in each or kind in ("boolean", "null"):
            continue
        if kind == "string" and not _is_short(each):
            yield f"{where}: a string without maxLength"
        elif kind in ("integer", "number") and not _is_between(each):
            yield f"{where}: a number without minimum and maximum"
        elif kind == "array":
            if "maxItems" not in each:
                yield f"{where}: an array without maxItems"
            yield from unbounded(schemas, each["items"], f"{where}[]")
        elif kind == "object":
            yield from _unbounded_fields(schemas, each, where)
        elif kind is None:
            yield f"{where}: anything"


def _unbounded_fields(schemas: Schemas, schema: Json, where: str) -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        yield from unbounded(schemas, inner, f"{where}.{name}")
    others = schema.get("additionalProperties", True)
    if others is False:
        return
    if "maxProperties" not in schema or not _is_short(schema.get("propertyNames", {})):
        yield f"{where}: any number of fields, or names of any length"
    if "x-bytes-max" not in schema:
        yield from unbounded(schemas, {} if others is True else others, f"{where}.*")


def _is_short(schema: Json) -> bool:
    if "maxLength" in schema or schema.get("format") in FORMATS:
        return True
    pattern = schema.get("pattern", ".*")
    # The width of the longest text that it matches: 2**32 and more where that may be repeated at will.
    return pattern.startswith("^") and pattern.endswith("$") and _width(pattern) < 1000


def _width(pattern: str) -> int:
    compiled = re._parser.parse(pattern)  # type: ignore[attr-defined]
    return int(compiled.getwidth()[1])


def _is_between(schema: Json) -> bool:
    return bool(
        {"minimum", "exclusiveMinimum"} & schema.keys() and {"maximum", "exclusiveMaximum"} & schema.keys()
    )


def test_every_part_of_every_request_is_bounded(openapi: Json) -> None:
    schemas, found, seen = Schemas(openapi), list[str](), 0
    for path, item in openapi["paths"].items():
        for method, operation in item.items():
            parts = {each["name"]: each["schema"] for each in operation.get("parameters", ())}
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                parts["body"] = content["application/json"]["schema"]
            for name, schema in parts.items():
                seen += 1
                found += unbounded(schemas, schema, f"{method.upper()} {path} {name}")
    assert seen > 100
    assert not found, "\n".join(found)


def test_so_is_what_a_websocket_takes() -> None:
    schema = TypeAdapter(Op).json_schema(ref_template="#/components/schemas/{model}")
    schemas = Schemas({"components": {"schemas": schema.pop("$defs")}})
    assert len(schemas.alternatives(schema)) == 3
    assert not list(unbounded(schemas, schema, "op"))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "string", "pattern": "^[a-z]+$"},
        {"type": "string", "pattern": "[a-z]"},
        {"type": "integer", "minimum": 0},
        {"type": "number", "maximum": 5},
        {"type": "array", "items": {"type": "boolean"}},
        {"type": "array", "items": {"type": "string"}, "maxItems": 5},
        {"type": "object", "additionalProperties": True, "maxProperties": 3},
        {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 3},
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
        {"anyOf": [{"type": "null"}, {"type": "string"}]},
        {},
    ],
)
def test_what_has_no_bounds_is_found(schema: Json) -> None:
    assert list(unbounded(Schemas({"components": {"schemas": {}}}), schema, "here"))
