"""Parses the YAML or JSON text of a document, and writes YAML that parses to the same values."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import yaml

from holdfast.kernel.errors import InvalidRequest

YAML_TYPE = "application/yaml"
TEXT_BYTES_MAX = 2 * 1024 * 1024
DEPTH_MAX = 32
"""More than any document needs. Deeper text is an attempt to exhaust the parser."""


class _Refused(ValueError):
    """Well-formed text that is not allowed in a document."""


class _Loader(yaml.CSafeLoader):
    """Scalars as in YAML 1.2: 10:00 is a string (not 600), and so are dates, yes and no."""


_Loader.yaml_implicit_resolvers = {}  # without those of the base class

for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,17})", "-+0123456789"),
    ("float", r"[-+]?(?:0|[1-9][0-9]{0,17})\.[0-9]+", "-+0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def load_text(text: str) -> dict[str, Any]:
    """Parses a YAML or JSON text to an object.

    Raises `InvalidRequest` for text that is neither, is not an object, is larger than `TEXT_BYTES_MAX`, nests deeper
    than `DEPTH_MAX`, or has YAML aliases: a few aliases can expand to gigabytes.
    """
    try:
        if len(text.encode()) > TEXT_BYTES_MAX:
            raise _Refused(f"must be at most {TEXT_BYTES_MAX} bytes")
        data = _from_json(text) if text.lstrip()[:1] == "{" else _from_yaml(text)
        if not isinstance(data, dict):
            raise _Refused("must be an object with the fields of a venue")
    except (ValueError, RecursionError, yaml.YAMLError) as exc:
        problem = str(exc) if isinstance(exc, _Refused) else f"is neither YAML nor JSON: {_first_lines(exc)}"
        raise InvalidRequest.of("document", None, problem) from exc
    return data


def _from_json(text: str) -> Any:
    return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_repeats)


def _from_yaml(text: str) -> Any:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise _Refused("must not use YAML aliases (*name): write the values out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_MAX:
            raise _Refused(f"must nest at most {DEPTH_MAX} levels deep")
    return yaml.load(text, Loader=_Loader)


def _no_constant(name: str) -> Any:
    raise _Refused(f"must not contain {name}: JSON has no such number")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Refused(f"must not give the field {twice[:40]!r} twice in one object")
    return found


def _first_lines(exc: Exception) -> str:
    return " ".join(str(exc).split())[:200] or type(exc).__name__


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, which `load_text` refuses, and no exponents, which it would read as strings."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_float(self, data: float) -> yaml.ScalarNode:
        text = format(Decimal(repr(data)), "f")
        return self.represent_scalar("tag:yaml.org,2002:float", text if "." in text else text + ".0")


_Dumper.add_representer(float, _Dumper.represent_float)


def to_yaml(data: dict[str, Any]) -> str:
    """Returns the document as YAML, without the fields that are null: a missing field means the same."""
    return yaml.dump(_given(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _given(data: Any, *, within: str = "") -> Any:
    if isinstance(data, list):
        return [_given(each) for each in data]
    if isinstance(data, dict) and within != "attributes":
        return {name: _given(each, within=name) for name, each in data.items() if each is not None}
    return data
