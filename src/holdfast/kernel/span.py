"""Spans of time: half-open, in UTC."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple


class Span(NamedTuple):
    """`[start, end)`: both instants are aware and in UTC; `end` itself is no longer part of it."""

    start: datetime
    end: datetime

    @property
    def duration(self) -> timedelta:
        """Elapsed time from start to end."""
        return self.end - self.start

    def overlaps(self, other: Span) -> bool:
        """Whether the two share any time; spans that only touch do not."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: Span) -> bool:
        """Whether the other lies wholly inside this one; the ends may coincide."""
        return self.start <= other.start and other.end <= self.end

    def holds(self, instant: datetime) -> bool:
        """Whether the instant is part of the span: its start is, its end is not."""
        return self.start <= instant < self.end


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same time in as few spans as possible, in order: those that overlap or touch become one."""
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.start <= result[-1].end:
            result[-1] = Span(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return tuple(result)


def most_at_once(spans: Iterable[Span]) -> int:
    """How many of the spans share an instant, at the instant at which that is most."""
    # An end sorts before a start at the same instant, as spans are half-open.
    changes = sorted(change for span in spans for change in ((span.start, 1), (span.end, -1)))
    return max(accumulate(step for _, step in changes), default=0)


def bits_between(first: int, end: int) -> int:
    """The bits `[first, end)` of a number whose bits stand for times in order."""
    return ((1 << (end - first)) - 1) << first if first < end else 0
