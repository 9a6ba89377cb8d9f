"""When one resource is free, asked again and again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime

from holdfast.claim.model import Claim
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource


class FreeTimes:
    """The claims of one resource, sorted once, so that each question is one search per unit."""

    __slots__ = ("_some_unit_is_untouched", "_units")

    def __init__(self, resource: Resource, claims: Iterable[Claim], *, now: datetime) -> None:
        by_unit: dict[int, list[Span]] = {}
        for claim in claims:
            if claim.stands(now):
                by_unit.setdefault(claim.unit, []).append(claim.span)
        self._some_unit_is_untouched = len(by_unit) < resource.units
        ordered = [sorted(spans) for spans in by_unit.values()]
        # Claims of a unit never overlap, so their ends are in the order of their starts.
        self._units = [([each.start for each in spans], [each.end for each in spans]) for spans in ordered]

    def free(self, span: Span) -> bool:
        """Whether some unit is free for all of the span (buffers included)."""
        if self._some_unit_is_untouched:
            return True
        for starts, ends in self._units:
            following = bisect_right(ends, span.start)  # the first claim that is not over by then
            if following == len(starts) or starts[following] >= span.end:
                return True
        return False
