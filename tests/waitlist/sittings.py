"""A full house, a long queue, and what each entry would accept, for tests over HTTP.

The day has sittings, and a visit takes more than half of one: a place is a table in a sitting.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from tests.booking.asking import DAY, STOCKHOLM
from tests.conftest import House
from tests.wire import book, post, staff

from .crew import Crew
from .oracle import Place, Table, Wish, World, replay

Json = dict[str, Any]

OPENING_HOURS = (10, 12, 14, 16, 18)
OPEN_MINUTES = 105
VISITS_MINUTES = (60, 75, 90, 105)
HOURS = {
    "weekly": [
        {"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": f"{hour}:00", "close": f"{hour + 1}:45"}
        for hour in OPENING_HOURS
    ]
}
SORTS = (
    ("table", "window", 1, 2),
    ("table", "window", 2, 4),
    ("table", "hall", 2, 4),
    ("room", "hall", 4, 8),
    ("lane", "cellar", 1, 8),
)
LISTED = 500


def sitting_of(start: datetime) -> datetime:
    """The start of the sitting in which a visit starts."""
    local = start.astimezone(STOCKHOLM)
    return local.replace(hour=local.hour - local.hour % 2, minute=0)


def sittings(days: int) -> list[datetime]:
    """The starts of all sittings of `days` days."""
    first = datetime(DAY.year, DAY.month, DAY.day, tzinfo=STOCKHOLM)
    return [first.replace(hour=hour) + timedelta(days=day) for day in range(days) for hour in OPENING_HOURS]


def resources(tables: int) -> list[Json]:
    """Resources of all SORTS in turn."""
    return [
        {"slug": f"t{n}", "kind": kind, "zone": zone, "seats_min": least, "seats_max": most, "sort_order": n}
        for n in range(tables)
        for kind, zone, least, most in [SORTS[n % len(SORTS)]]
    ]


@dataclass
class Full:
    """The house. `bookings`: the ones that fill it. `wishes`: what each entry wants, by its id."""

    crew: Crew
    house: House
    dice: random.Random
    tables: dict[str, Table]
    sittings: list[datetime]
    token: str
    bookings: list[Json] = field(default_factory=list)
    wishes: dict[str, Wish] = field(default_factory=dict)

    @property
    def places(self) -> list[Place]:
        return [(table, sitting) for sitting in self.sittings for table in self.tables]

    async def fill(self) -> None:
        """Books every place."""
        requests = [
            book(
                self.house,
                token=self.token,
                start=sitting.isoformat(),
                end=(sitting + timedelta(minutes=OPEN_MINUTES)).isoformat(),
                resource_ids=[table.id],
                party_size=table.seats_min,
            )
            for sitting in self.sittings
            for table in self.tables.values()
        ]
        answers = await self.crew.ask(requests, at_once=32)
        assert [answer.status for answer in answers] == [201] * len(requests)
        self.bookings = [answer.json() for answer in answers]

    async def queue(self, entries: list[Json]) -> None:
        """Makes all of these join. Their order in the queue is what the API reports."""
        requests = [
            post("/waitlist", {"venue_id": self.house.venue_id, **each}, token=self.token) for each in entries
        ]
        answers = await self.crew.ask(requests)
        assert [answer.status for answer in answers] == [201] * len(requests)
        wanted = {answer.json()["id"]: each for answer, each in zip(answers, entries, strict=True)}
        in_order = [each["id"] for each in await self.entries()]
        assert set(in_order) == set(wanted)
        self.wishes = {id_: self._wish(number, wanted[id_]) for number, id_ in enumerate(in_order)}

    def _wish(self, number: int, asked: Json) -> Wish:
        wanted = asked.get("preferences", {})
        [table] = asked.get("resource_ids", [None])
        [zone], [kind] = wanted.get("zones") or [None], wanted.get("kinds") or [None]
        first, last = (datetime.fromisoformat(asked[name]) for name in ("earliest", "latest"))
        fits = [each for each in self.sittings if first <= each + timedelta(minutes=45) and each <= last]
        return Wish(number, fits[0], fits[-1], asked["party_size"], zone=zone, table=table, kind=kind)

    def any_entry(self) -> Json:
        """A random entry that fits some tables, in some sittings, for a visit of any length that a sitting has room
        for."""
        dice = self.dice
        table = dice.choice(list(self.tables.values()))
        first = dice.randrange(len(self.sittings))
        last = min(first + dice.choice([0, 0, 0, 1, 3, 99]), len(self.sittings) - 1)
        narrowed: Json = dice.choice(
            [
                {},
                {"resource_ids": [table.id]},
                {"preferences": {"zones": [table.zone]}},
                {"preferences": {"kinds": [table.kind]}},
            ]
        )
        minutes = timedelta(minutes=dice.choice([0, 15, 30]))
        return {
            "party_size": dice.randint(table.seats_min, table.seats_max),
            "earliest": (self.sittings[first] - minutes).isoformat(),
            "latest": (self.sittings[last] + minutes).isoformat(),
            "duration_minutes": dice.choice(VISITS_MINUTES),
            **narrowed,
        }

    async def entries(self, status: str | None = None) -> list[Json]:
        """The venue's whole waitlist, in order, as staff read it page by page."""
        return [each async for each in self._pages(status)]

    async def _pages(self, status: str | None) -> AsyncIterator[Json]:
        params: Json = {"limit": LISTED} | ({"status": status} if status else {})
        while True:
            path = f"/waitlist/venue/{self.house.venue_id}"
            page = await self.crew.http.get(path, params=params, headers=self.house.bob)
            assert page.status_code == 200, page.text
            for each in page.json()["items"]:
                yield each
            if (following := page.json()["next"]) is None:
                return
            params["cursor"] = following

    async def world(self) -> World:
        """The state after all events, each of which is checked on the way."""
        return await replay(self.crew.owner, self.house.venue_id, self.tables, self.wishes, sitting_of)

    async def waits_s(self) -> list[float]:
        """The seconds from each cancellation to the offer of its place, sorted. Places not offered are left out."""
        rows = await self.crew.owner.fetch(
            "SELECT event_type, payload, written_at FROM event WHERE venue_id = $1 AND channel = 'bookings'"
            " AND event_type IN ('booking.cancelled', 'booking.created') ORDER BY version",
            self.house.venue["id"],
        )
        return sorted(_waits(rows))


def _waits(rows: list[Any]) -> Iterator[float]:
    freed: dict[Place, datetime] = {}
    for row in rows:
        payload = orjson.loads(row["payload"])
        place = payload["resource_ids"][0], sitting_of(datetime.fromisoformat(payload["start"]))
        if row["event_type"] == "booking.cancelled":
            freed[place] = row["written_at"]
        elif payload["source"] == "waitlist":
            yield (row["written_at"] - freed.pop(place)).total_seconds()


async def full_house(crew: Crew, dice: random.Random, *, tables: int, days: int, **policy: Any) -> Full:
    """A house of `tables` tables in which every place of `days` days is booked."""
    house = await crew.house(
        policy={"slot_step_minutes": 15, "combination_resources_max": 1, **policy},
        hours=HOURS,
        resources=resources(tables),
    )
    made = {
        id_: Table(id_, each["zone"], each["seats_min"], each["seats_max"], each["kind"])
        for each in resources(tables)
        for id_ in house.ids(each["slug"])
    }
    full = Full(crew, house, dice, made, sittings(days), staff(house))
    await full.fill()
    return full


def place_of(entry: Json) -> Place:
    """The place that the entry was offered."""
    [table] = entry["offer"]["resource_ids"]
    return table, sitting_of(datetime.fromisoformat(entry["offer"]["start"]))
