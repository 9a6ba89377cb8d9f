"""Finds when one resource is free, for many queries."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from holdfast.claim.model import Claim
from holdfast.kernel.span import Span, bits_between
from holdfast.place.venue import Resource


class FreeTimes:
    """The claims of one resource, sorted once, so that each query is one search.

    Which unit is taken does not matter: claims move to other units where that makes room (`recolour`).
    """

    __slots__ = ("_full", "_levels", "_resource", "_times")

    def __init__(self, resource: Resource, starts: list[datetime], ends: list[datetime]) -> None:
        """`starts`, `ends`: of the claims on units that the resource has; sorted, where that is one."""
        self._resource = resource
        # By number of units: starts and ends of the spans in which fewer are free. They never overlap, so both are in
        # order. With one unit, each claim is such a span.
        self._full: dict[int, tuple[list[datetime], list[datetime]]] = {}
        # With more, this counts the units taken from each of these times on.
        self._times: list[datetime] = []
        self._levels: list[int] = []
        if resource.units == 1:
            self._full[1] = starts, ends
        else:
            changes = Counter(starts)
            changes.subtract(ends)
            self._times = sorted(changes)
            self._levels = [*accumulate(changes[at] for at in self._times)]

    @classmethod
    def of(cls, resource: Resource, claims: Iterable[Claim], *, now: datetime) -> FreeTimes:
        """Builds it from the resource's claims, in any order; ignores expired ones."""
        spans = sorted([each.span for each in claims if each.stands(now) and each.unit <= resource.units])
        return cls(resource, [each.start for each in spans], [each.end for each in spans])

    def free(self, span: Span, *, units: int = 1) -> bool:
        """Returns whether that many units are free at every instant of the span (buffers included)."""
        if units > self._resource.units:
            return False
        starts, ends = self._full_for(units)
        following = bisect_right(ends, span.start)  # the first full span that ends after the start
        return following == len(starts) or starts[following] >= span.end

    def starts(
        self, times: Sequence[datetime], length: timedelta, *, leaf: Resource | None = None, units: int = 1
    ) -> int:
        """Returns a bit for each time, the lowest for the first: set if a booking of that length and of that many units
        can start then.

        `times`: in order, at least one. The resource's buffers are added here; `leaf`: the resource as a part of the
        whole that is booked, with other buffers.
        """
        if units > self._resource.units:
            return 0
        of = leaf or self._resource
        before = timedelta(minutes=of.buffer_before_minutes)
        after = length + timedelta(minutes=of.buffer_after_minutes)
        starts, ends = self._full_for(units)
        last = times[-1] + after
        following = bisect_right(ends, times[0] - before)
        first, found = 0, 0
        # From gap to gap: the times that fit into one gap are adjacent.
        while following < len(starts) and starts[following] < last:
            found |= bits_between(first, bisect_right(times, starts[following] - after))
            first = bisect_left(times, ends[following] + before)
            following += 1
        return found | bits_between(first, len(times))

    def take(self, span: Span, *, units: int = 1) -> None:
        """Takes that many units for the whole span (buffers included), which must be free."""
        assert self.free(span, units=units)
        if self._resource.units > 1:
            self._full.clear()
            for place in range(self._time(span.start), self._time(span.end)):
                self._levels[place] += units
        else:
            starts, ends = self._full[1]
            insort(starts, span.start)
            insort(ends, span.end)

    def _full_for(self, units: int) -> tuple[list[datetime], list[datetime]]:
        """Returns the starts and ends of the spans in which fewer of the resource's units are free than these."""
        found = self._full.get(units)
        if found is None:
            found = self._full[units] = [], []
            most = self._resource.units - units
            for start, end, level in zip(self._times, self._times[1:], self._levels, strict=False):
                if level > most:
                    found[0].append(start)
                    found[1].append(end)
        return found

    def _time(self, at: datetime) -> int:
        """Returns the index of that time among the times at which the level may change; inserts it if it is missing."""
        place = bisect_left(self._times, at)
        if place == len(self._times) or self._times[place] != at:
            self._times.insert(place, at)
            self._levels.insert(place, self._levels[place - 1] if place else 0)
        return place
