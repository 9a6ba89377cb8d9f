"""When one resource is free, asked again and again."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from holdfast.claim.model import Claim
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource

Taken = tuple[list[datetime], list[datetime]]
"""The starts and the ends of the claims on one unit. They never overlap, so both are in the same order."""


class FreeTimes:
    """The claims of one resource, sorted once, so that each question is one search per unit."""

    __slots__ = ("_resource", "_units")

    def __init__(self, resource: Resource, claims: Iterable[Claim], *, now: datetime) -> None:
        by_unit: dict[int, list[Span]] = {}
        for claim in claims:
            if claim.stands(now):
                by_unit.setdefault(claim.unit, []).append(claim.span)
        self._resource = resource
        self._units: dict[int, Taken] = {
            unit: ([each.start for each in spans], [each.end for each in spans])
            for unit, spans in ((unit, sorted(spans)) for unit, spans in by_unit.items())
        }

    def free(self, span: Span) -> bool:
        """Whether some unit is free for all of the span (buffers included)."""
        return self._some_unit_is_untouched or any(_is_free(taken, span) for taken in self._units.values())

    def starts(self, times: Sequence[datetime], length: timedelta) -> int:
        """A bit for each of the times, the lowest for the first: set if a booking of that length can start then.

        `times`: in order, at least one. The resource's buffers are added here.
        """
        if self._some_unit_is_untouched:
            return (1 << len(times)) - 1
        before = timedelta(minutes=self._resource.buffer_before_minutes)
        after = length + timedelta(minutes=self._resource.buffer_after_minutes)
        found = 0
        for taken in self._units.values():
            found |= _starts(taken, times, before, after)
        return found

    def take(self, span: Span) -> None:
        """Takes the lowest unit that is free for all of the span (buffers included); one must be."""
        numbers = range(1, self._resource.units + 1)
        unit = next(n for n in numbers if n not in self._units or _is_free(self._units[n], span))
        starts, ends = self._units.setdefault(unit, ([], []))
        insort(starts, span.start)
        insort(ends, span.end)

    @property
    def _some_unit_is_untouched(self) -> bool:
        return len(self._units) < self._resource.units


def _is_free(taken: Taken, span: Span) -> bool:
    starts, ends = taken
    following = bisect_right(ends, span.start)  # the first claim that is not over by then
    return following == len(starts) or starts[following] >= span.end


def _starts(taken: Taken, times: Sequence[datetime], before: timedelta, after: timedelta) -> int:
    """Goes from gap to gap: the times that fit into one lie side by side."""
    starts, ends = taken
    last = times[-1] + after
    following = bisect_right(ends, times[0] - before)
    first, found = 0, 0
    while following < len(starts) and starts[following] < last:
        found |= _bits(first, bisect_right(times, starts[following] - after))
        first = bisect_left(times, ends[following] + before)
        following += 1
    return found | _bits(first, len(times))


def _bits(first: int, end: int) -> int:
    return ((1 << (end - first)) - 1) << first if first < end else 0
