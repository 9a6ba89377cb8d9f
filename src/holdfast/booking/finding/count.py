"""Counts the bookings that could be made at each of many starts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from holdfast.booking.finding.scan import Start, on_step_bits
from holdfast.claim.free_times import FreeTimes
from holdfast.claim.model import units_needed
from holdfast.place.opening.open_bits import open_bits
from holdfast.place.opening.opened import hours_of, step_hours
from holdfast.place.venue import Resource, Venue


class Count:
    """Counts, for many starts at once: a bit stands for a start, and `_planes` are the digits of its count."""

    def __init__(self) -> None:
        self._planes: list[int] = []

    def add(self, bits: int) -> None:
        """Adds one for each start whose bit is set."""
        place = 0
        while bits:
            if place == len(self._planes):
                self._planes.append(0)
            self._planes[place], bits = self._planes[place] ^ bits, self._planes[place] & bits
            place += 1

    def most(self, among: int) -> int:
        """Returns the largest count of any of these starts."""
        most = 0
        for place in reversed(range(len(self._planes))):
            if among & self._planes[place]:
                among &= self._planes[place]
                most |= 1 << place
        return most


@dataclass(slots=True)
class Starts:
    """The starts that are asked about, of one length, in order, and what is known about them."""

    venue: Venue
    length: timedelta
    starts: Sequence[Start]
    times: list[datetime] = field(init=False)
    _taken: dict[UUID, int] = field(default_factory=dict)
    _open: dict[object, int] = field(default_factory=dict)
    _steps: dict[object, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.times = [each.span.start for each in self.starts]

    def by_day(self) -> dict[Hashable, int]:
        """Returns the bits of the starts of each day."""
        found: dict[Hashable, int] = {}
        for place, each in enumerate(self.starts):
            found[each.goal] = found.get(each.goal, 0) | 1 << place
        return found

    def by_bound(self, bound: Callable[[Start], int | None]) -> list[tuple[int | None, int]]:
        """Returns the bits of the starts with each bound on their count, which may be None."""
        found: dict[int | None, int] = {}
        for place, each in enumerate(self.starts):
            value = bound(each)
            found[value] = found.get(value, 0) | 1 << place
        return [*found.items()]

    def counts(
        self, resource: Resource, times: Mapping[UUID, FreeTimes], party_size: int, kept: int = 0
    ) -> Iterator[int]:
        """Yields the starts for which the resource takes one booking, two bookings, and so on, besides those that were
        counted since `forget`, as far as they share parts with it. `kept`: the starts for which it is held back for
        others."""
        bits = self._able(resource) & ~kept
        for leaf in resource.claimed if self.venue.wholes else ():
            bits &= ~self._taken.get(leaf.id, 0)
        for count in range(1, _bookings_max(resource, party_size) + 1):
            for leaf in resource.claimed:
                units = count * units_needed(resource, leaf, party_size)
                bits &= times[leaf.id].starts(self.times, self.length, leaf=leaf, units=units)
            if not bits:
                return
            for leaf in resource.claimed if self.venue.wholes else ():
                self._taken[leaf.id] = self._taken.get(leaf.id, 0) | bits
            yield bits

    def forget(self) -> None:
        """Forgets what was counted."""
        self._taken.clear()

    def _able(self, resource: Resource) -> int:
        bits = (1 << len(self.times)) - 1
        for own in hours_of((resource,)):
            if own not in self._open:
                self._open[own] = open_bits(self.venue, own, self.times, self.length)
            bits &= self._open[own]
        own = step_hours((resource,))
        if self.venue.has_own_hours and self.starts[0].slot_id is None:
            if own not in self._steps:
                self._steps[own] = on_step_bits(self.venue, (resource,), self.starts, self.times)
            bits &= self._steps[own]
        return bits


def _bookings_max(resource: Resource, party_size: int) -> int:
    if resource.leaves:
        return 1
    return resource.units // units_needed(resource, resource, party_size)
