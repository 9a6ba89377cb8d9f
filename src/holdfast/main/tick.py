"""What a tick is; `ticks.py` lists them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from holdfast.kernel.tx import Tx


@dataclass(frozen=True, slots=True)
class Tick:
    """Something to be done again and again.

    `verb(tx, batch)` does up to `batch` rows in one transaction and answers how many there were; it
    must be safe to run twice, also at once in two workers. `period_s`: from one run that found the
    end to the next, give or take a fifth. `name`: as in logs and metrics.
    """

    name: str
    period_s: float
    verb: Callable[[Tx, int], Awaitable[int]]
    batch: int
