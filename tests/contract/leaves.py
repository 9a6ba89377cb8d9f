"""Every place of a request body that takes a value, from the OpenAPI document, and a valid value for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from tests.booking.asking import DAY, at

Json = dict[str, Any]
Path = tuple[str | int, ...]

MAP_KEY = "colour"
"""A name in a map of any names."""

BY_NAME: Mapping[str, Any] = {
    "timezone": "Europe/Stockholm",
    "currency": "SEK",
    "rrule": "FREQ=WEEKLY;COUNT=2",
    "guest_email": "gina@nord.example",
    "guest_phone": "+46701740605",
    "open": "10:00",
    "close": "23:00",
    "years": [DAY.year],
    "language": "sv",
    "subdivision": None,
    "names": ["Juldagen"],
    "slot_id": "day",
    "to": "CONFIRMED",
    "changes": {"party_size": 3},
}
BY_PATTERN: Mapping[str, str] = {
    "^([01][0-9]|2[0-3]):[0-5][0-9]$": "18:00",
    "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$": "19:00",
}
BY_MODEL: Mapping[str, Any] = {
    "HoursException": {"date": DAY.isoformat(), "closed": True},
    "HeldBack": {"resources": ["t1"], "for": "members"},
    "PacingRule": {"covers_max": 20},
    "FairUseRule": {"per": "guest", "open_bookings_max": 2},
    "Discount": {"code": "SPRING", "percent": 10},
}
BY_FORMAT: Mapping[str, Any] = {
    "date": DAY.isoformat(),
    "date-time": at("18:00"),
    "uuid": "01890a5d-ac96-774b-bcce-b302099a8057",
}
"""Valid values where the schema alone doesn't make one: by field, pattern, model and format."""


@dataclass(frozen=True)
class Leaf:
    """`path`: where in the body; `kinds`: `integer`, `date`, `enum`, ...: all that it may be."""

    path: Path
    schema: Json
    kinds: frozenset[str]

    @property
    def name(self) -> str:
        return ".".join(map(str, self.path))


class Schemas:
    """The schemas of a document, with references followed."""

    def __init__(self, document: Json, **by_name: Any) -> None:
        self._named: Json = document["components"]["schemas"]
        self._by_name = BY_NAME | by_name

    def alternatives(self, schema: Json) -> list[Json]:
        """All that it may be; a model has its name as `title`."""
        if "$ref" in schema:
            return self.alternatives(self._named[schema["$ref"].rpartition("/")[2]])
        for kind in ("anyOf", "oneOf"):
            if kind in schema:
                around = {name: value for name, value in schema.items() if name != kind}
                return [each for one in schema[kind] for each in self.alternatives({**around, **one})]
        if "allOf" in schema:
            assert len(schema["allOf"]) == 1, schema
            return self.alternatives(schema["allOf"][0])
        return [schema]

    def leaves(self, schema: Json, path: Path = ()) -> Iterator[Leaf]:
        """Every value in it that is no object or list, and every object and list as a value too."""
        options = self.alternatives(schema)
        if path:
            yield Leaf(path, schema, frozenset(map(_kind, options)))
        for each in options:
            for name, inner in self._inner(each):
                yield from self.leaves(inner, (*path, name))

    def _inner(self, schema: Json) -> Iterator[tuple[str | int, Json]]:
        yield from schema.get("properties", {}).items()
        if "items" in schema:
            yield 0, schema["items"]
        if isinstance(schema.get("additionalProperties"), dict):
            yield MAP_KEY, schema["additionalProperties"]
        elif schema.get("additionalProperties") is True:
            yield MAP_KEY, {}

    def valid(self, leaf: Leaf) -> Any:
        """A valid value for it."""
        *around, name = leaf.path
        if name == 0 and around[-1] in self._by_name:
            return (self._by_name[str(around[-1])] or [None])[0]
        return self.sample(leaf.schema, name)

    def sample(self, schema: Json, name: str | int = "") -> Any:
        """A valid value, of a field of that name."""
        if name in self._by_name and not self._is_date(schema):
            return deepcopy(self._by_name[str(name)])
        found = next((each for each in self.alternatives(schema) if each.get("type") != "null"), {})
        if found.get("title") in BY_MODEL:
            return deepcopy(BY_MODEL[found["title"]])
        for key in ("const", "default"):
            if found.get(key) is not None:
                return found[key]
        for key in ("enum", "examples"):
            if key in found:
                return found[key][0]
        return self._made(found)

    def _is_date(self, schema: Json) -> bool:
        """Whether it is a date: `to` is one in rules, and a status in steps."""
        return any(each.get("format") == "date" for each in self.alternatives(schema))

    def _made(self, schema: Json) -> Any:
        match schema.get("type"):
            case "object":
                needed = schema.get("required", ())
                if schema.get("minProperties") and not needed:
                    return {MAP_KEY: "a"}
                return {each: self.sample(schema["properties"][each], each) for each in needed}
            case "array":
                return [self.sample(schema["items"])] if schema.get("minItems") else []
            case "integer" | "number":
                least = schema.get("minimum", 1)
                return int(least) if schema["type"] == "integer" else least
            case "boolean":
                return True
            case "string":
                made = BY_FORMAT.get(schema.get("format", ""))
                return made or BY_PATTERN.get(schema.get("pattern", "")) or "a" * schema.get("minLength", 1)
        return "a"

    def placed(self, schema: Json, body: Json, leaf: Leaf, value: Any) -> Json:
        """The body with that value there; what lies around it and is missing is made up."""
        made = deepcopy(body)
        at_hand: Any = made
        for depth, name in enumerate(leaf.path[:-1]):
            inside = leaf.path[depth + 1]
            there = at_hand[name] if isinstance(name, int) else at_hand.get(name)
            if not isinstance(there, list if isinstance(inside, int) else dict):
                there = self.sample(self._at(schema, leaf.path[: depth + 1], inside), name)
                there = there if isinstance(there, list | dict) else [] if isinstance(inside, int) else {}
            there = deepcopy(there)
            if isinstance(inside, int) and not there:
                there.append(None)
            at_hand[name] = there
            at_hand = there
        at_hand[leaf.path[-1]] = value
        return made

    def _at(self, schema: Json, path: Path, inside: str | int) -> Json:
        """The schema there, of the alternative that has something of that name inside."""
        for name in path:
            options = [dict(self._inner(each)) for each in self.alternatives(schema)]
            schema = next(each[name] for each in options if name in each)
        options = self.alternatives(schema)
        return next(each for each in options if inside in dict(self._inner(each)))


def _kind(schema: Json) -> str:
    if "enum" in schema or "const" in schema:
        return "enum"
    return schema.get("format") or schema.get("type", "anything")


def with_raw(body: Any, mark: str, raw: bytes) -> bytes:
    """The JSON of the body with `raw` in place of the string `mark`."""
    text = json.dumps(body).encode()
    quoted = json.dumps(mark).encode()
    assert text.count(quoted) == 1, (mark, text)
    return text.replace(quoted, raw)
