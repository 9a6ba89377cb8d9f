"""Who arrives around some time, counted by the bounds on arrivals. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from holdfast.pacing.limits import Arrivals, Limit, Window, limits
from holdfast.place.venue import Venue


class ArrivingParty(NamedTuple):
    """A party that arrives at a venue."""

    venue_id: UUID
    start: datetime
    slot_id: str | None
    source: str
    party_size: int


class ArrivalRow(NamedTuple):
    """Bookings that start at the same time, of the same slot and source."""

    start: datetime
    slot_id: str | None
    source: str
    covers: int
    parties: int


@dataclass(slots=True)
class Arrived:
    """The arrivals around some time, for counting many windows."""

    rows: list[ArrivalRow] = field(default_factory=list[ArrivalRow])
    _counted: dict[Window, Arrivals] = field(default_factory=dict[Window, Arrivals])
    _sorted: bool = False

    @classmethod
    def of(cls, rows: Iterable[Any]) -> Arrived:
        names = ArrivalRow._fields
        return cls([ArrivalRow(*(row[name] for name in names)) for row in rows])

    @classmethod
    def from_json(cls, text: str | None) -> Arrived:
        """Returns what a statement read as one JSON array."""
        rows = orjson.loads(text or "[]")
        return cls.of(each | {"start": datetime.fromisoformat(each["start"])} for each in rows)

    def count(self, window: Window) -> Arrivals:
        """Returns how many arrive in the window."""
        found = self._counted.get(window)
        if found is None:
            if not self._sorted:
                self.rows.sort(key=lambda each: each.start)
                self._sorted = True
            first = bisect_left(self.rows, window.span.start, key=lambda each: each.start)
            last = bisect_left(self.rows, window.span.end, key=lambda each: each.start)
            counted = [
                each for each in self.rows[first:last] if window.holds(each.start, each.slot_id, each.source)
            ]
            found = Arrivals(sum(each.covers for each in counted), sum(each.parties for each in counted))
            self._counted[window] = found
        return found

    def add(self, start: datetime, slot_id: str | None, source: str, party_size: int) -> None:
        """Counts a booking that is about to be made."""
        self.rows.append(ArrivalRow(start, slot_id, source, party_size, 1))
        self._sorted = False
        self._counted.clear()

    def parties_left(
        self, venue: Venue, start: datetime, *, slot_id: str | None, source: str, party_size: int
    ) -> int | None:
        """Returns how many more parties of that size may arrive then; None if any number may."""
        bounds = limits(venue, start, slot_id, source)
        return min((self.room(each, party_size) for each in bounds), default=None)

    def room(self, limit: Limit, party_size: int) -> int:
        """Returns how many more parties of that size the bound leaves room for; 0 or less: none."""
        covers, parties = self.count(limit.window)
        left = list[int]()
        if limit.covers_max is not None:
            left.append((limit.covers_max - covers) // party_size)
        if limit.parties_max is not None:
            left.append(limit.parties_max - parties)
        return min(left)

    def before(self, came: Iterable[ArrivingParty], *, gone: Iterable[ArrivingParty]) -> Arrived:
        """Returns who arrived before a change. `came`: who arrives since then; `gone`: who no longer does."""
        since = [ArrivalRow(each.start, each.slot_id, each.source, -each.party_size, -1) for each in came]
        rows = [ArrivalRow(each.start, each.slot_id, each.source, each.party_size, 1) for each in gone]
        return Arrived([*self.rows, *since, *rows])
