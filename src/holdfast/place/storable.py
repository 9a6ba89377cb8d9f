"""Refuses values that PostgreSQL can't store or that some JSON parsers can't read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from holdfast.kernel.errors import InvalidRequest

DEPTH_MAX = 16
"""The deepest nesting of attributes."""
INTEGER_MAX = 2**53
"""JavaScript rounds larger integers."""


def refuse_unstorable(value: Any, *, field: str = "") -> None:
    """Checks that the plain value (from `model_dump`) can be stored and read back unchanged.

    Raises `InvalidRequest` with the fields that can't.
    """
    errors = [
        {"field": at, "value": None, "problem": problem} for at, problem in _unstorable(value, field, 0)
    ]
    if errors:
        raise InvalidRequest(f"{errors[0]['field']}: {errors[0]['problem']}", errors=errors[:50])


def _unstorable(value: Any, at: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if "\0" in value or not _is_unicode(value):
            yield at, "must be text without NUL characters and without lone surrogates"
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield at, "must be a finite number"
    elif isinstance(value, int):
        if abs(value) > INTEGER_MAX:
            yield at, f"must be at most {INTEGER_MAX}; write larger numbers as text"
    elif isinstance(value, dict | list | tuple):
        if depth > DEPTH_MAX:
            yield at, f"must nest at most {DEPTH_MAX} levels deep"
            return
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _unstorable(name, at, depth)
            yield from _unstorable(each, f"{at}.{name}" if at else str(name), depth + 1)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
