"""The check; `CHECKS` in `run.py` lists all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Judge = Callable[[Sequence[Mapping[str, Any]]], Iterable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant, which holds for every database at any time.

    `name`: the invariant as an identifier. `means`: the same as a sentence. `sql`: one SELECT of the rows that
    violate it, with the columns needed to find them. It does not rely on constraints, nor on indexes except for speed:
    what they should prevent may have happened anyway, by hand, by a restore, or by a bug. `args`: its parameters.
    `judge`: where SQL can't decide, `sql` returns all rows needed and this function yields the violations.
    """

    name: str
    means: str
    sql: str
    args: tuple[Any, ...] = ()
    judge: Judge | None = None
