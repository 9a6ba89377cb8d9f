"""A simple, slow computation of which party should get what: an oracle for houses whose tables are joined.

Time is cut into quarters of an hour. The party that has waited longest gets the first start in its window at which
some set of tables is free; of these, the set with the fewest tables, then the fewest empty seats, then the first in
the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations

from tests.booking.asking import instant

QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Table:
    """A table. `row`: its place in the list. `beside`: the rows of the tables it is joined with."""

    row: int
    seats_min: int
    seats_max: int
    zone: str
    beside: frozenset[int]


@dataclass(frozen=True)
class Party:
    """A party that waits for a visit of `quarters` that starts in its window. `row`: the only table it accepts."""

    size: int
    earliest: datetime
    latest: datetime
    quarters: int
    zone: str | None = None
    row: int | None = None


@dataclass
class Floor:
    """All tables. `opens`, `closes`: the hours of every day. `taken`: (row, quarter)."""

    tables: Sequence[Table]
    opens: int
    closes: int
    days: int
    taken: set[tuple[int, int]] = field(default_factory=set)
    sets: dict[tuple[int, str | None], list[tuple[int, ...]]] = field(default_factory=dict)

    def seat_all(self, parties: Sequence[Party]) -> dict[int, tuple[datetime, tuple[int, ...]]]:
        """Returns start and rows for each party that gets a place, by its position in the queue."""
        found = ((number, self._seat(party)) for number, party in enumerate(parties))
        return {number: place for number, place in found if place is not None}

    def _seat(self, party: Party) -> tuple[datetime, tuple[int, ...]] | None:
        sets = self._sets(party)
        for start in self._starts(party):
            free = {
                each.row
                for each in self.tables
                if self.taken.isdisjoint(self.cells([each.row], start, party.quarters))
            }
            for rows in sets if free else ():
                if free.issuperset(rows):
                    self.taken.update(self.cells(rows, start, party.quarters))
                    return start, rows
        return None

    @staticmethod
    def cells(rows: Sequence[int], start: datetime, quarters: int) -> Iterator[tuple[int, int]]:
        """Returns the (row, quarter) cells that a visit takes."""
        first = (start - instant("00:00")) // QUARTER
        return ((row, first + n) for row in rows for n in range(quarters))

    def _starts(self, party: Party) -> Iterator[datetime]:
        for day in range(self.days):
            start, closes = instant(f"{self.opens}:00", day), instant(f"{self.closes}:00", day)
            while start + party.quarters * QUARTER <= closes:
                if party.earliest <= start <= party.latest:
                    yield start
                start += QUARTER

    def _sets(self, party: Party) -> list[tuple[int, ...]]:
        if party.row is not None:
            return [(party.row,)]
        asked = party.size, party.zone
        if asked not in self.sets:
            self.sets[asked] = list(self._all_sets(party))
        return self.sets[asked]

    def _all_sets(self, party: Party) -> Iterator[tuple[int, ...]]:
        tables = [each for each in self.tables if party.zone in (None, each.zone)]
        for size in (1, 2, 3):
            fitting: list[tuple[int, tuple[int, ...]]] = []
            for some in combinations(tables, size):
                most = sum(each.seats_max for each in some)
                least = min(sum(each.seats_min for each in some), most)
                if least <= party.size <= most and _hang_together(some):
                    fitting.append((most - party.size, tuple(each.row for each in some)))
            yield from (rows for _, rows in sorted(fitting))


def _hang_together(tables: Sequence[Table]) -> bool:
    rows = {each.row for each in tables}
    joined = sum(len(each.beside & rows) for each in tables) // 2
    # Three tables need two joins, two need one, and no set here is larger.
    return joined >= len(tables) - 1
