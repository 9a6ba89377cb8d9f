"""A document as YAML that `load_text` reads back unchanged."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import yaml

YAML_TYPE = "application/yaml"


class _Dumper(yaml.SafeDumper):
    """No aliases, which documents must not have, and no exponents, which would be read as text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_float(self, data: float) -> yaml.ScalarNode:
        text = format(Decimal(repr(data)), "f")
        return self.represent_scalar("tag:yaml.org,2002:float", text if "." in text else text + ".0")


_Dumper.add_representer(float, _Dumper.represent_float)


def to_yaml(data: dict[str, Any]) -> str:
    """The document in YAML, fields that are null left out: that is what leaving them out means."""
    return yaml.dump(_given(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _given(data: Any, *, within: str = "") -> Any:
    if isinstance(data, list):
        return [_given(each) for each in data]
    if isinstance(data, dict) and within != "attributes":
        return {name: _given(each, within=name) for name, each in data.items() if each is not None}
    return data
