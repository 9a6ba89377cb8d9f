"""What a check is; `CHECKS` in `run.py` lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Judge = Callable[[Sequence[Mapping[str, Any]]], Iterable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that holds for every database, whenever one looks.

    `name`: what is so, as an identifier. `means`: the same as a sentence. `sql`: one SELECT of the rows
    that say otherwise, none when all is well, with the columns that help to find them. It relies on no
    constraint, and on no index for more than its speed: what they are to prevent may have come about
    all the same, by hand, by a restore, or by a fault of theirs. `args`: its parameters. `judge`: where
    SQL can't tell what is right, it says from the rows what is wrong; then `sql` answers all that it needs.
    """

    name: str
    means: str
    sql: str
    args: tuple[Any, ...] = ()
    judge: Judge | None = None
