"""Bookings, holds, changes, cancellations and the clock, all after the same few places."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest

from bench.crowd import Answer, Crowd
from holdfast.kernel.ids import new_id
from tests.booking.asking import at
from tests.conftest import House
from tests.processes import Running, until
from tests.wire import book, cancel, change, move, staff

CLIENTS = 24
STEPS = 40
STEPS_SOAK = 4_000
HOLD_TTL_S = 1

POLICY = {"slot_step_minutes": 15, "default_duration_minutes": 60, "hold_ttl_seconds": HOLD_TTL_S}
PLACES = [
    {"slug": "t1", "name": "T1", "kind": "table", "seats_max": 4, "adjacent": ["t2"]},
    {"slug": "t2", "name": "T2", "kind": "table", "seats_max": 4, "adjacent": ["t3"]},
    {"slug": "t3", "name": "T3", "kind": "table", "seats_max": 4},
    {"slug": "s1", "name": "S1", "kind": "section", "seats_max": 4, "units": 2},
    {"slug": "r1", "name": "R1", "kind": "room", "seats_min": 9, "seats_max": 9},
]


@dataclass
class Told:
    """What the API has said of each booking: every version it showed, by id."""

    versions: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)

    def of(self, what: str, answer: Answer) -> None:
        self.statuses[what, answer.status] += 1
        assert answer.status in (200, 201, 400, 409), (what, answer.status, answer.body)
        shown = answer.json()
        if answer.status < 400:
            known = self.versions.setdefault(shown["id"], {})
            # Two who were told of the same version were told the same.
            assert known.setdefault(shown["version"], shown) == shown
        elif answer.status == 400:
            assert shown["code"] == "INVALID_TRANSITION", shown

    def newest(self, rng: random.Random) -> dict[str, Any] | None:
        """Some booking as it was shown last, mostly one that goes on."""
        shown = [versions[max(versions)] for versions in list(self.versions.values())[-60:]]
        going_on = [each for each in shown if each["status"] in ("HELD", "RESERVED")]
        return rng.choice(going_on if going_on and rng.random() < 0.9 else shown) if shown else None


def _wanted(house: House, rng: random.Random) -> dict[str, Any]:
    """Some of the four places, or whatever fits, for an hour or so of one evening."""
    minutes = 15 * rng.randrange(8)
    wanted: dict[str, Any] = {
        "start": at(f"{18 + minutes // 60}:{minutes % 60:02}"),
        "duration_minutes": rng.choice([30, 60, 90]),
        "party_size": rng.choice([2, 4]),
    }
    if rng.random() < 0.6:
        names = rng.choice([["t1"], ["t2"], ["t3"], ["s1"], ["t1", "t2"], ["t3", "t2"], ["s1", "t1"]])
        wanted |= {"resource_ids": house.ids(*names), "party_size": 2 * len(names)}
    return wanted


def _step(house: House, told: Told, rng: random.Random, token: str) -> tuple[str, bytes]:
    booking, dice = told.newest(rng), rng.random()
    if booking is None or dice < 0.3:
        return "create", book(house, token=token, key=f"mixed-{new_id()}", **_wanted(house, rng))
    if dice < 0.5:
        return "hold", book(house, token=token, hold=True, **_wanted(house, rng))
    if dice < 0.65:
        return "confirm", move(booking, "RESERVED", token=token)
    if dice < 0.8:
        return "change", change(booking, token=token, **_wanted(house, rng))
    return "cancel", cancel(booking, token=token)


async def _campaign(house: House, crowd: Crowd, told: Told, *, steps: int, seed: int) -> None:
    async def one(number: int) -> None:
        rng, token = random.Random(seed * 1000 + number), staff(house)
        for _ in range(steps):
            what, request = _step(house, told, rng, token)
            told.of(what, await crowd.clients[number].ask(request))

    await asyncio.gather(*(one(number) for number in range(CLIENTS)))


HISTORY = """
    SELECT booking_id::text AS id, version, to_status FROM booking_history
     WHERE booking_id IN (SELECT id FROM booking WHERE venue_id = $1)
"""
HELD = "SELECT count(*) FROM booking WHERE venue_id = $1 AND status = 'HELD'"
EXPIRED = "SELECT count(*) FROM booking WHERE venue_id = $1 AND status = 'EXPIRED'"


async def _race(house: House, crowd: Crowd, owner: asyncpg.Connection, steps: int) -> None:
    seed = random.randrange(1_000_000)
    print("seed", seed)
    told = Told()
    # One hold that nobody touches, at a place that nobody wants.
    left = book(
        house, token=staff(house), hold=True, start=at("18:00"), party_size=9, resource_ids=house.ids("r1")
    )
    first = await crowd.clients[0].ask(left)
    assert first.status == 201, first
    await _campaign(house, crowd, told, steps=steps, seed=seed)
    print(sorted(told.statuses.items()))
    for what in ("create", "hold", "confirm", "change", "cancel"):
        done = told.statuses[what, 201] + told.statuses[what, 200]
        assert done, (what, told.statuses)

    async def no_hold_is_left() -> bool:
        return await owner.fetchval(HELD, house.venue_id) == 0

    await until(no_hold_is_left)
    assert await owner.fetchval(EXPIRED, house.venue_id)
    assert await owner.fetchval("SELECT status FROM booking WHERE id = $1", first.json()["id"]) == "EXPIRED"

    # All that anybody was told is what happened; and nothing happened that nobody was told, but time.
    stored = {
        (row["id"], row["version"]): row["to_status"] for row in await owner.fetch(HISTORY, house.venue_id)
    }
    shown = {
        (id_, version): each["status"]
        for id_, versions in told.versions.items()
        for version, each in versions.items()
    }
    assert {at_: stored.get(at_) for at_ in shown} == shown
    shown[first.json()["id"], 1] = "HELD"
    assert {stored[at_] for at_ in stored.keys() - shown.keys()} == {"EXPIRED"}


async def test_it_all_adds_up(
    open_house: Any, everybody: Crowd, worker: Running, owner: asyncpg.Connection
) -> None:
    assert worker.process.poll() is None
    await _race(await open_house(policy=POLICY, resources=PLACES), everybody, owner, STEPS)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_it_all_adds_up_for_long(
    open_house: Any, everybody: Crowd, worker: Running, owner: asyncpg.Connection
) -> None:
    assert worker.process.poll() is None
    await _race(await open_house(policy=POLICY, resources=PLACES), everybody, owner, STEPS_SOAK)
