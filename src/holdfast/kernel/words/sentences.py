"""What would be right instead of a value that was refused, in words. Pydantic's own texts reach nobody."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

Context = Mapping[str, Any]

_PATTERNS = {
    r"^[a-z0-9][a-z0-9_-]{0,62}$": (
        "must be 1 to 63 lower-case letters, digits, - and _, starting with a letter or digit"
    ),
    r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$": "must be 1 to 63 lower-case letters, digits and inner hyphens",
    r"^[a-z][a-z0-9_-]{0,39}$": "must be 1 to 40 lower-case letters, digits, - and _, starting with a letter",
}
_DATE = "must be a date such as '2026-12-24'"
_INSTANT = "must be an instant with an offset, such as '2026-12-24T18:00:00+01:00'"
_DECIMAL = "must be a decimal string such as '12.50'"
_OBJECT, _LIST = "must be an object", "must be a list"
_WHOLE, _NUMBER, _TRUTH = "must be a whole number", "must be a number", "must be true or false"
_ID = "must be a UUID such as '01890a5d-ac96-774b-bcce-b302099a8057'"
_FIXED = {
    "missing": "is required",
    "extra_forbidden": "is not a field here: remove it, or check its spelling",
    "json_type": "must be JSON text",
    "none_required": "must be null",
    "string_type": "must be text",
    "string_sub_type": "must be text",
    "string_not_ascii": "must be text without accents or other scripts",
    "string_unicode": "must be text in UTF-8",
    "invalid_key": "must have names that are text",
    "recursion_loop": "must not contain itself",
    "finite_number": "must be a finite number",
    "decimal_type": _DECIMAL,
    "decimal_parsing": _DECIMAL,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "iterable_type": _LIST,
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
}
"""By the type of error, or by what it begins with (`_BEGINNINGS`)."""
_BEGINNINGS = {
    "int_": _WHOLE,
    "float_": _NUMBER,
    "uuid_": _ID,
    "date_": _DATE,
    "datetime_": _INSTANT,
    "timezone_": _INSTANT,
    "time_": "must be a time of day such as '18:00'",
    "decimal_": _DECIMAL,
    "url_": "must be a URL",
    "bytes_": "must be text",
}


def _count(number: int, one: str) -> str:
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


_LIMITS: dict[str, Callable[[Context], str]] = {
    "greater_than": lambda of: f"must be more than {of['gt']}",
    "greater_than_equal": lambda of: f"must be at least {of['ge']}",
    "less_than": lambda of: f"must be less than {of['lt']}",
    "less_than_equal": lambda of: f"must be at most {of['le']}",
    "multiple_of": lambda of: f"must be a multiple of {of['multiple_of']}",
    "string_too_short": lambda of: f"must have at least {_count(of['min_length'], 'character')}",
    "string_too_long": lambda of: f"must have at most {_count(of['max_length'], 'character')}",
    "too_short": lambda of: (
        f"must have at least {_count(of['min_length'], 'entry').replace('entrys', 'entries')}"
    ),
    "too_long": lambda of: (
        f"must have at most {_count(of['max_length'], 'entry').replace('entrys', 'entries')}"
    ),
    "string_pattern_mismatch": lambda of: _PATTERNS.get(
        of["pattern"], f"must match the pattern {of['pattern']}"
    ),
    "literal_error": lambda of: f"must be {of['expected']}",
    "union_tag_invalid": lambda of: (
        f"{of['discriminator'].strip(chr(39))} must be one of {of['expected_tags']}"
    ),
    "union_tag_not_found": lambda of: f"must have {of['discriminator'].strip(chr(39))}",
    "json_invalid": lambda of: f"is not JSON: {of['error']}",
    "enum": lambda of: f"must be {of['expected']}",
    "decimal_max_digits": lambda of: f"must have at most {_count(of['max_digits'], 'digit')}",
    "decimal_max_places": lambda of: f"must have at most {_count(of['decimal_places'], 'decimal')}",
    "decimal_whole_digits": lambda of: (
        f"must have at most {_count(of['whole_digits'], 'digit')} before the decimal point"
    ),
}
_OUR_OWN = {"not_allowed", "value_error", "assertion_error"}


def sentence_of(error: Mapping[str, Any]) -> str:
    """Returns what would be right, for one of the errors of a `ValidationError`: `must be at least 1`."""
    kind = error["type"]
    if kind in _OUR_OWN:
        return error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if kind in _LIMITS:
        return _LIMITS[kind](error["ctx"])
    beginning = next((each for each in _BEGINNINGS if kind.startswith(each)), None)
    return _FIXED.get(kind) or (_BEGINNINGS[beginning] if beginning else "is not allowed here")


def nearest(name: str, known: Collection[str]) -> str:
    """Returns `: did you mean ...?` for the known name that is most like this one; empty if none is."""
    found = difflib.get_close_matches(name[:100], sorted(known), n=1)
    return f": did you mean {found[0]}?" if found else ""


def fields_around(model: Any, where: Sequence[str | int]) -> set[str]:
    """Returns the names of the fields beside the one at that path in bodies of the model; empty if it can't tell."""
    for part in where[:-1]:
        if isinstance(part, int) or not (models := list(_models_in(model))):
            continue
        fields = {name: each for one in models for name, each in one.model_fields.items()}
        if part in fields:
            model = fields[part].annotation
    return {name for one in _models_in(model) for name in one.model_fields}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in get_args(annotation) for model in _models_in(each)]
