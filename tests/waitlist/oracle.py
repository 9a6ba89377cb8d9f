"""An oracle for the waitlist that is independent of its code: it reads the events of a venue one by one, and checks
for each offer which entry should have got it.

Its world is simple: a place is a table on a day (or in a sitting, as the test defines it), and a visit takes so much
of that time that only one fits. An entry fits a place or it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from tests.booking.asking import STOCKHOLM

Place = tuple[str, date]


def day_of(start: datetime) -> date:
    """The date of the start in Stockholm."""
    return start.astimezone(STOCKHOLM).date()


@dataclass(frozen=True)
class Table:
    """A table, and the parties it seats."""

    id: str
    zone: str
    seats_min: int
    seats_max: int
    kind: str = "table"


@dataclass(frozen=True)
class Wish:
    """What an entry wants, as requested."""

    number: int
    first: date
    last: date
    party_size: int
    zone: str | None = None
    table: str | None = None
    kind: str | None = None

    def fits(self, table: Table, day: date) -> bool:
        return (
            self.first <= day <= self.last
            and table.seats_min <= self.party_size <= table.seats_max
            and self.zone in (None, table.zone)
            and self.kind in (None, table.kind)
            and self.table in (None, table.id)
        )


@dataclass
class World:
    """The state after the events so far. `when`: returns the day or sitting of a visit, given its start."""

    tables: dict[str, Table]
    wishes: dict[str, Wish]
    when: Callable[[datetime], date] = day_of
    waiting: dict[str, Wish] = field(default_factory=dict)
    taken: dict[Place, str] = field(default_factory=dict)
    unannounced: set[tuple[str, str]] = field(default_factory=set)
    offers: int = 0

    def read(self, type_: str, payload: dict[str, Any], offers: dict[str, str]) -> None:
        """Applies one event. `offers`: booking id to entry id."""
        noun, _, what = type_.partition(".")
        if type_ == "booking.created":
            self._booked(payload, offers.get(payload["booking_id"]))
        elif noun == "booking" and payload["status"] in ("CANCELLED", "EXPIRED"):
            self._freed(payload["booking_id"])
        elif type_ == "waitlist.joined":
            self.waiting[payload["entry_id"]] = self.wishes[payload["entry_id"]]
        elif type_ == "waitlist.offered":
            self.unannounced.remove((payload["entry_id"], payload["booking_id"]))
        elif what in ("lapsed", "left"):
            self.waiting.pop(payload["entry_id"], None)

    def _booked(self, payload: dict[str, Any], entry_id: str | None) -> None:
        [table] = payload["resource_ids"]
        place = table, self.when(datetime.fromisoformat(payload["start"]))
        assert place not in self.taken, f"{place} is taken twice"
        self.taken[place] = payload["booking_id"]
        if payload["source"] != "waitlist":
            return
        assert entry_id is not None, "an offer to nobody"
        wish = self.waiting.pop(entry_id)  # fails for an entry that already had an offer
        assert wish.fits(self.tables[place[0]], place[1]), "an offer that was not asked for"
        before = [w for w in self.waiting.values() if w.number < wish.number]
        passed = [w.number for w in before if w.fits(self.tables[place[0]], place[1])]
        assert not passed, f"{wish.number} got {place} before {passed}"
        self.unannounced.add((entry_id, payload["booking_id"]))
        self.offers += 1

    def _freed(self, booking_id: str) -> None:
        for place in [place for place, owner in self.taken.items() if owner == booking_id]:
            del self.taken[place]

    def skipped(self, days: Sequence[date]) -> list[tuple[int, Place]]:
        """Returns the entries that wait although a place that fits them is free."""
        free = [
            (table, day)
            for table in self.tables.values()
            for day in days
            if (table.id, day) not in self.taken
        ]
        return [
            (wish.number, (table.id, day))
            for wish in self.waiting.values()
            for table, day in free
            if wish.fits(table, day)
        ]


async def replay(
    owner: asyncpg.Connection,
    venue_id: str,
    tables: dict[str, Table],
    wishes: dict[str, Wish],
    when: Callable[[datetime], date] = day_of,
) -> World:
    """Returns the world after all events of the venue. Checks each event, and that their versions have no gap."""
    rows = await owner.fetch(
        "SELECT event_type, payload, version FROM event WHERE venue_id = $1 AND channel = 'bookings'"
        " ORDER BY version",
        UUID(venue_id),
    )
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
    offers = {
        str(row["booking_id"]): str(row["id"])
        for row in await owner.fetch(
            "SELECT id, booking_id FROM waitlist_entry WHERE venue_id = $1 AND booking_id IS NOT NULL",
            UUID(venue_id),
        )
    }
    world = World(tables, wishes, when)
    for row in rows:
        world.read(row["event_type"], orjson.loads(row["payload"]), offers)
    assert not world.unannounced, "a place was taken for an entry, without an event"
    return world
