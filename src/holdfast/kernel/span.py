"""Spans of time: half-open, in UTC."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple


class Span(NamedTuple):
    """`[start, end)`: both are timezone-aware instants in UTC; the span does not include `end`."""

    start: datetime
    end: datetime

    @property
    def duration(self) -> timedelta:
        """The time from start to end."""
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        """Returns whether the two spans share any time; spans that only touch do not."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: Span) -> bool:
        """Returns whether the other span lies inside this one; the ends may coincide."""
        return self.start <= other.start and other.end <= self.end

    def holds(self, instant: datetime) -> bool:
        """Returns whether the instant is in the span: `start` is, `end` is not."""
        return self.start <= instant < self.end


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Returns the same time as few spans as possible, in order: overlapping and touching spans are joined."""
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.start <= result[-1].end:
            result[-1] = Span(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return tuple(result)


def most_at_once(spans: Iterable[Span]) -> int:
    """Returns the largest number of spans that share an instant."""
    # At the same instant an end sorts before a start, because spans are half-open.
    changes = sorted(change for span in spans for change in ((span.start, 1), (span.end, -1)))
    return max(accumulate(step for _, step in changes), default=0)


def bits_between(first: int, end: int) -> int:
    """Returns a bit set with the bits `[first, end)` set; each bit represents a time, in order."""
    return ((1 << (end - first)) - 1) << first if first < end else 0
