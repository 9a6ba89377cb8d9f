"""Lanes: the number of connections in a process that each kind of work may use, so that none blocks another."""

from __future__ import annotations

from typing import Literal

Lane = Literal["sets", "changes", "reads", "background"]
"""`sets`: creating bookings. `changes`: all other writes. `reads`: read-only, enforced by PostgreSQL. `background`: the
process's own few tasks, which use what the other lanes leave."""


def lanes(pool_max: int) -> dict[Lane, int]:
    """Returns the number of connections for each lane, at least one. Of 10: 2 for sets, 3 for changes, 4 for reads,
    and 1 is left over. With fewer than 4 the lanes share."""
    return {
        "sets": max(1, pool_max // 5),
        "changes": max(1, pool_max * 3 // 10),
        "reads": max(1, pool_max * 2 // 5),
    }
