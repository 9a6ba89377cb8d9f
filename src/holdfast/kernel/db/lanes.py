"""Lanes: how many connections of a process each kind of work may use, so that none waits for another."""

from __future__ import annotations

from typing import Literal

Lane = Literal["sets", "changes", "reads", "background"]
"""`sets`: bookings being created. `changes`: everything else that writes. `reads`: what writes nothing, which
PostgreSQL checks. `background`: the few tasks of the process itself; they use what the others leave."""


def lanes(pool_max: int) -> dict[Lane, int]:
    """Connections for each lane, at least one. Of 10: 2 for sets, 3 for changes, 4 for reads, and 1 is left. With fewer
    than 4 the lanes share."""
    return {
        "sets": max(1, pool_max // 5),
        "changes": max(1, pool_max * 3 // 10),
        "reads": max(1, pool_max * 2 // 5),
    }
