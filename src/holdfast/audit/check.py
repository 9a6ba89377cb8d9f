"""What a check is; `checks.py` lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that holds for every database, whenever one looks.

    `name`: what is so, as an identifier. `means`: the same as a sentence. `sql`: one SELECT of the rows
    that say otherwise, none when all is well, with the columns that help to find them. It relies on no
    constraint, and on no index for more than its speed: what they are to prevent may have come about
    all the same, by hand, by a restore, or by a fault of theirs. `args`: its parameters.
    """

    name: str
    means: str
    sql: str
    args: tuple[Any, ...] = ()
