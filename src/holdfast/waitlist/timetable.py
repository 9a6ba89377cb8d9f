"""When visits may start that the waitlist can offer, in chunks, with what is cached about them. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from holdfast.booking.finding.search import Sets, starts, visit
from holdfast.booking.rules.nights import night_under_way
from holdfast.claim.model import claimed_span
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource, Venue

CHUNK_STARTS = 64
"""The number of consecutive starts that are examined together."""


def starts_in(venue: Venue, sets: Sets, piece: Span, *, minutes: int, now: datetime) -> Iterator[datetime]:
    """Yields the starts of visits of that many minutes that overlap the piece and are neither too soon nor too far
    ahead, in order; none if no set would do. A night that has begun starts now, for as long as it is sold."""
    if not sets:
        return
    length, policy = timedelta(minutes=minutes), venue.policy
    soonest = now + timedelta(minutes=policy.min_notice_minutes)
    last = min(piece.end, now + timedelta(days=policy.max_advance_days))
    tonight = None if venue.stay is None else night_under_way(venue, now)
    if tonight is not None and visit(venue, tonight.start, length).overlaps(piece):
        yield tonight.start
        soonest = max(soonest, tonight.end)
    within = Span(max(piece.start - length, soonest), last)
    for start in starts(venue, sets, minutes=minutes, within=within):
        if visit(venue, start, length).overlaps(piece):
            yield start


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
