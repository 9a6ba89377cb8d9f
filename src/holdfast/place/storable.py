"""What neither PostgreSQL nor every JSON parser can hold is refused before it gets there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from holdfast.kernel.errors import InvalidRequest

DEPTH_MAX = 16
"""Attributes nest no deeper than this."""
INTEGER_MAX = 2**53
"""Beyond it, JavaScript rounds."""


def refuse_unstorable(value: Any, *, field: str = "") -> None:
    """Nothing, if the plain value (what `model_dump` gives) can be kept and read again unchanged.

    Raises `InvalidRequest` naming the fields where it can't.
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
