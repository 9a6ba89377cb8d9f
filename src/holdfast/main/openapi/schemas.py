"""Makes the schemas of the document plain enough for generators of clients.

Generators take a `default` as a promise that the field is always there, so that a client would have to send every
optional field; a title for each property becomes the name of a type; and a query parameter is never null.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

Json = dict[str, Any]
REF = "#/components/schemas/"
NULL = {"type": "null"}


def make_plain(document: Json) -> None:
    """Rewrites the schemas of the document's components and parameters in place.

    - Defaults are written into descriptions. In what only responses have, a field with a default other than null is
      always there, so it is required.
    - Titles are left to models.
    - Query parameters that can be left out aren't also nullable.
    """
    schemas = document["components"]["schemas"]
    sent = _sent(document)
    for name, schema in schemas.items():
        _put_plain(schema, is_sent=name in sent)
    for operation in operations_of(document):
        for parameter in operation.get("parameters", ()):
            parameter["schema"] = _not_null(parameter["schema"])
            _put_plain(parameter["schema"], is_sent=True, keeps_default=True)
            parameter["schema"].pop("title", None)


def operations_of(document: Json) -> Iterator[Json]:
    """Yields all operations of the document."""
    for item in document["paths"].values():
        yield from (each for each in item.values() if isinstance(each, dict) and "responses" in each)


def _sent(document: Json) -> set[str]:
    """The names of the schemas that requests have, directly or in others."""
    schemas = document["components"]["schemas"]
    found: set[str] = set()
    waiting = {name for each in operations_of(document) for name in _names_in(each.get("requestBody", {}))}
    while waiting:
        found |= waiting
        waiting = {name for each in waiting for name in _names_in(schemas.get(each, {}))} - found
    return found


def _names_in(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _names_in(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name == "$ref" and isinstance(each, str):
                yield each.removeprefix(REF)
            else:
                yield from _names_in(each)


def _put_plain(schema: Json, *, is_sent: bool, keeps_default: bool = False) -> None:
    if not keeps_default and "default" in schema:
        _say_default(schema)
    properties: Json = schema.get("properties", {})
    if not is_sent:
        _require(schema, [name for name, each in properties.items() if each.get("default") is not None])
    for each in properties.values():
        each.pop("title", None)
        _put_plain(each, is_sent=is_sent)
    for each in _parts(schema):
        _put_plain(each, is_sent=is_sent)


def _parts(schema: Json) -> Iterator[Json]:
    for name in ("anyOf", "oneOf", "allOf", "prefixItems"):
        yield from schema.get(name, ())
    for name in ("items", "additionalProperties", "propertyNames"):
        if isinstance(part := schema.get(name), dict):
            yield part


def _say_default(schema: Json) -> None:
    default = schema.pop("default")
    said = schema.get("description", "")
    if isinstance(default, str | int | float) and "default:" not in said.lower():
        shown = str(default).lower() if isinstance(default, bool) else default
        schema["description"] = f"{said} Default: {shown}.".lstrip()


def _require(schema: Json, names: Collection[str]) -> None:
    required = schema.get("required", [])
    if added := [name for name in names if name not in required]:
        schema["required"] = required + added


def _not_null(schema: Json) -> Json:
    others = [each for each in schema.get("anyOf", ()) if each != NULL]
    if len(others) != 1:
        return schema
    return {name: value for name, value in schema.items() if name != "anyOf"} | others[0]
