"""What ticks and rounds are; `ticks.py` lists them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from holdfast.engine import Engine
from holdfast.kernel.tx import Tx


@dataclass(frozen=True, slots=True)
class Tick:
    """Something to be done again and again.

    `verb(tx, batch)` does up to `batch` rows in one transaction and answers how many there were; it
    must be safe to run twice, also at once in two workers. `period_s`: from one run that found the
    end to the next, give or take a fifth. `name`: as in logs and metrics.

    `tenants(tx, batch)`: of whom there are any; each is then seen to in a transaction of its own, so that no tenant's
    venues are locked for as long as another's take. None: all are seen to together.
    """

    name: str
    period_s: float
    verb: Callable[[Tx, int], Awaitable[int]]
    batch: int
    tenants: Callable[[Tx, int], Awaitable[Sequence[UUID]]] | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """Something to be done again and again in transactions of its own, such as what takes long thought between.

    `run(engine)` returns the number of rows it has handled; it must be safe to run twice, also at once in two workers.
    """

    name: str
    period_s: float
    run: Callable[[Engine], Awaitable[int]]
