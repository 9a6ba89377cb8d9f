"""Values that every request makes anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]:
    """A dataclass that nobody changes once it is made: to change one is a type error. It can be hashed.

    For values that every request makes anew. `frozen=True` would also object at run time, but then it takes four times
    as long to make one (docs/decisions/0049).
    """
    return dataclass(slots=True, kw_only=kw_only, unsafe_hash=True)
