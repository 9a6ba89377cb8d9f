"""A house of joined tables, each taken for days by one stay, and a queue, both in the API and in the oracle."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from holdfast.kernel.ids import new_id
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from tests.booking.asking import at, instant
from tests.conftest import House

from .greedy import QUARTER, Floor, Party, Table

Json = dict[str, Any]
WEEK = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
OPENS, CLOSES = 10, 23
HOURS = {"weekly": [{"days": WEEK, "open": f"{OPENS}:00", "close": f"{CLOSES}:00"}]}
SIZES = ((1, 2), (2, 4), (2, 4), (4, 6))
COLUMNS = 6


def tables(count: int) -> list[Table]:
    """Tables in rows of COLUMNS, each joined with the ones beside and behind it."""

    def beside(row: int) -> frozenset[int]:
        sides = [row - 1] * (row % COLUMNS > 0) + [row + 1] * (row % COLUMNS < COLUMNS - 1)
        return frozenset(each for each in [*sides, row - COLUMNS, row + COLUMNS] if 0 <= each < count)

    zones = ("hall", "window")
    return [Table(row, *SIZES[row % len(SIZES)], zones[row % 5 == 0], beside(row)) for row in range(count)]


def document(made: list[Table], **policy: Any) -> Json:
    """The parts of the venue's document that differ from the default."""
    return {
        "hours": HOURS,
        "policy": {"slot_step_minutes": 15, "offer_ttl_seconds": 3600, **policy},
        "resources": [
            {
                "slug": f"t{each.row:02}",
                "zone": each.zone,
                "seats_min": each.seats_min,
                "seats_max": each.seats_max,
                "sort_order": each.row,
                "adjacent": [f"t{other:02}" for other in sorted(each.beside) if other > each.row],
            }
            for each in made
        ],
    }


def some_party(dice: random.Random, made: list[Table], days: int) -> Party:
    """A random party. Most can come on several days; some insist on a table or a zone."""
    opening = instant(f"{OPENS}:00", dice.randrange(days))
    earliest = opening + dice.randrange(0, 40) * QUARTER
    window = dice.choice([timedelta(), timedelta(hours=2), timedelta(days=1), timedelta(days=min(days, 30))])
    latest = min(earliest + window, instant(f"{CLOSES}:00", days - 1))
    quarters, table = dice.choice([4, 6, 6, 8, 12]), dice.choice(made)
    if dice.random() < 0.15:
        size = dice.randint(table.seats_min, table.seats_max)
        return Party(size, earliest, latest, quarters, row=table.row)
    zone = dice.choice([None, None, "hall"])
    return Party(dice.choice([1, 2, 2, 3, 4, 4, 5, 6, 8, 10]), earliest, latest, quarters, zone)


@dataclass
class Scene:
    """The house and its queue, and the oracle's floor, which follows as stays are cancelled."""

    house: House
    venue: Venue
    owner: asyncpg.Connection
    floor: Floor
    parties: list[Party]
    stays: list[Json]
    entries: list[UUID]

    async def free(self, *rows: int) -> None:
        """Cancels the stays at these tables."""
        for row in rows:
            path, body = f"/bookings/{self.stays[row]['id']}/cancel", {"expected_version": 1}
            done = await self.house.client.post(path, json=body, headers=self.house.bob)
            assert done.status_code == 200, done.text
            self.floor.taken = {cell for cell in self.floor.taken if cell[0] != row}

    async def offers(self) -> dict[int, tuple[datetime, tuple[int, ...]]]:
        """Returns what each party was offered, by its place in the queue. Checks that every offer is an entry's only
        one."""
        rows = await self.owner.fetch(
            "SELECT e.id, b.start_at, b.resource_ids FROM booking b"
            "  JOIN waitlist_entry e ON e.booking_id = b.id AND e.status = 'OFFERED'"
            " WHERE b.venue_id = $1 AND b.source = 'waitlist' AND b.status = 'HELD'",
            self.venue.id,
        )
        made = await self.owner.fetchval(
            "SELECT count(*) FROM booking WHERE venue_id = $1 AND source = 'waitlist'", self.venue.id
        )
        assert made == len(rows), "a place is held for nobody"
        number = {id_: place for place, id_ in enumerate(self.entries)}
        order = {UUID(id_): int(slug[1:]) for slug, id_ in self.house.resources.items()}
        return {
            number[row["id"]]: (row["start_at"], tuple(sorted(order[id_] for id_ in row["resource_ids"])))
            for row in rows
        }


async def set_scene(
    open_house: Any,
    owner: asyncpg.Connection,
    places: Places,
    parties: list[Party],
    *,
    count: int,
    days: int,
    **policy: Any,
) -> Scene:
    """Fills all tables with one stay each, for all days, and queues the parties."""
    made = tables(count)
    house: House = await open_house(**document(made, **policy))
    stays = [
        await house.booked(
            start=at(f"{OPENS}:00"),
            end=at(f"{CLOSES}:00", days - 1),
            resource_ids=house.ids(f"t{each.row:02}"),
            party_size=each.seats_min,
        )
        for each in made
    ]
    venue = await places.venue(UUID(house.venue_id))
    floor = Floor(made, OPENS, CLOSES, days)
    quarters = (instant(f"{CLOSES}:00", days - 1) - instant(f"{OPENS}:00")) // QUARTER
    floor.taken |= set(Floor.cells(range(count), instant(f"{OPENS}:00"), quarters))
    scene = Scene(house, venue, owner, floor, parties, stays, [])
    scene.entries += [await waits(scene, party) for party in parties]
    return scene


JOIN = """
    INSERT INTO waitlist_entry (tenant_id, id, venue_id, status, version, party_size, earliest_at, latest_at,
                                duration_minutes, resource_ids, preferences, created_by, created_at, updated_at)
    VALUES ($1, $2, $3, 'WAITING', 1, $4, $5, $6, $7, $8, $9, 'test', now(), now())
"""


async def waits(scene: Scene, party: Party) -> UUID:
    """Adds the party at the end of the queue and returns its entry's id. It writes directly, since there may be
    thousands."""
    zones = [] if party.zone is None else [party.zone]
    named = [] if party.row is None else [UUID(scene.house.resources[f"t{party.row:02}"])]
    id_ = new_id()
    await scene.owner.execute(
        JOIN,
        scene.venue.tenant_id,
        id_,
        scene.venue.id,
        party.size,
        party.earliest,
        party.latest,
        int(party.quarters * QUARTER / timedelta(minutes=1)),
        named,
        orjson.dumps({"kinds": [], "zones": zones, "attributes": {}}).decode(),
    )
    return id_
