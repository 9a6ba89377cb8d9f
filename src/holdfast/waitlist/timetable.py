"""The starts that a plan of offers looks at, in chunks, with what is cached about them. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from holdfast.claim.model import claimed_span
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource

CHUNK_STARTS = 64
"""The number of consecutive starts that are examined together."""


@dataclass(slots=True)
class Chunk:
    """A run of consecutive starts. `all`: a mask with one bit for each. `free`: for each resource looked up so far, by
    number, the mask of the starts at which it is free. `changes`: how many of these masks were dropped as stale."""

    times: list[datetime]
    all: int = field(init=False)
    free: dict[int, int] = field(default_factory=dict)
    changes: int = 0

    def __post_init__(self) -> None:
        self.all = (1 << len(self.times)) - 1


@dataclass(slots=True)
class Timetable:
    """All starts that the venue's hours allow for visits of one length, in order."""

    length: timedelta
    times: list[datetime]
    chunks: list[Chunk]

    def forget(self, number: int, resource: Resource, taken: Span) -> None:
        """Drops what is cached about the resource, for all visits that overlap the span."""
        nothing = claimed_span(resource, Span(taken.start, taken.start))
        before, after = taken.start - nothing.start, nothing.end - taken.start
        first = bisect_right(self.times, taken.start - after - self.length)
        end = bisect_left(self.times, taken.end + before)
        for chunk in self.chunks[first // CHUNK_STARTS : -(-end // CHUNK_STARTS)] if first < end else ():
            if chunk.free.pop(number, None) is not None:
                chunk.changes += 1
