"""Which bookings arrive in parts of the day in which more arrive than may. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from holdfast.booking.fitting.reasons import Wrong
from holdfast.booking.fitting.standing import Standing
from holdfast.booking.rules.pacing import PacingExceeded
from holdfast.pacing.limits import REACH, Limit, Window, limits
from holdfast.place.venue import Venue


@dataclass(slots=True)
class _Counted:
    """A part of the day. `bound`: those to whom the limit applies, which are not all who count, such as walk-ins."""

    limit: Limit
    covers: int = 0
    parties: int = 0
    bound: list[Standing] = field(default_factory=list[Standing])
    is_full: bool = False

    def count(self, booked: Standing) -> None:
        self.covers += booked.party_size
        self.parties += 1

    @property
    def is_over(self) -> bool:
        covers_max, parties_max = self.limit.covers_max, self.limit.parties_max
        return (covers_max is not None and self.covers > covers_max) or (
            parties_max is not None and self.parties > parties_max
        )

    def sentence(self) -> str:
        limit = self.limit
        by = f" booked by {' or '.join(limit.window.sources)}" if limit.window.sources else ""
        if limit.rule is None:
            when = "in a quarter of an hour"
        else:
            when = f"in the slot {limit.window.slot_id}" if limit.rule.slots else "in that part of the day"
        if limit.covers_max is not None and self.covers > limit.covers_max:
            return f"At most {limit.covers_max} guests{by} may arrive {when}; {self.covers} do."
        return f"At most {limit.parties_max} parties{by} may arrive {when}; {self.parties} do."


class _Kind(NamedTuple):
    """The bookings with the same start, slot and source: the limits that apply to them, and the parts of the day in
    which they count."""

    bounds: frozenset[Window]
    counted: list[_Counted]


class Arriving:
    """The arrivals around the present booking, which come in order of their start."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._recent: list[Standing] = []
        self._windows: dict[Window, _Counted] = {}
        self._kinds: dict[tuple[str | None, str], _Kind] = {}

    def add(self, booked: Standing) -> Iterator[tuple[Standing, Wrong]]:
        """Adds the booking; yields those that are too many now, each once for each limit."""
        if self._recent and self._recent[-1].span.start < booked.span.start:
            self._forget(booked.span.start)
        kind = self._kind_of(booked)
        self._recent.append(booked)
        for each in kind.counted:
            each.count(booked)
            bound = each.limit.window in kind.bounds
            if bound:
                each.bound.append(booked)
            if each.is_over:
                # Those that were found before are not yielded again.
                over = each.bound if not each.is_full else [booked] if bound else []
                each.is_full = True
                wrong = Wrong(PacingExceeded.code, each.sentence)
                yield from ((other, wrong) for other in over)

    def _kind_of(self, booked: Standing) -> _Kind:
        kind = self._kinds.get((booked.slot_id, booked.source))
        if kind is not None:
            return kind
        applying = limits(self._venue, booked.span.start, booked.slot_id, booked.source)
        for limit in applying:
            if limit.window not in self._windows:
                self._windows[limit.window] = self._counted(limit)
                self._kinds.clear()  # others may count in it too
        counted = [each for window, each in self._windows.items() if _holds(window, booked)]
        kind = _Kind(frozenset(each.window for each in applying), counted)
        self._kinds[booked.slot_id, booked.source] = kind
        return kind

    def _counted(self, limit: Limit) -> _Counted:
        counted = _Counted(limit)
        first = bisect_left(self._recent, limit.window.span.start, key=lambda each: each.span.start)
        for each in self._recent[first:]:
            if _holds(limit.window, each):
                counted.count(each)
        return counted

    def _forget(self, start: datetime) -> None:
        """Removes what no booking that starts then, or later, counts with."""
        self._kinds.clear()
        self._windows = {each: one for each, one in self._windows.items() if each.span.end > start}
        if self._recent[0].span.start < start - 2 * REACH:
            first = bisect_left(self._recent, start - REACH, key=lambda each: each.span.start)
            self._recent = self._recent[first:]


def _holds(window: Window, booked: Standing) -> bool:
    return window.holds(booked.span.start, booked.slot_id, booked.source)
