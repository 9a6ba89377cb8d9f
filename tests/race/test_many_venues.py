"""Two processes want the locks of the same venues, many at a time: they wait for each other and never in a circle."""

from __future__ import annotations

import random
from typing import Any

import asyncpg
import pytest

from bench.crowd import Crowd
from tests.booking.asking import at
from tests.conftest import House
from tests.wire import book, cancel, change, staff

VENUES = 12
ROUNDS, ROUNDS_SOAK = 12, 300
SECTION = [{"slug": "s1", "name": "S1", "kind": "section", "seats_max": 8, "units": 50}]


async def _venues(open_house: Any) -> tuple[House, list[str]]:
    house: House = await open_house(resources=SECTION)
    venues = [house.venue_id]
    for number in range(1, VENUES):
        await house.replace({**house.document, "slug": f"osteria-{number}"})
        venues.append(house.venue_id)
    return house, venues


async def _race(
    house: House, venues: list[str], everybody: Crowd, owner: asyncpg.Connection, rounds: int
) -> None:
    """Each of the clients books, changes and cancels at venues of its own choice; the fixture looks for deadlocks and
    audits the order of the channels' versions."""
    dice, token, made = random.Random(7), staff(house), 0
    for day in range(rounds):
        asked = [
            book(house, token=token, start=at("18:00", day % 50), venue_id=dice.choice(venues))
            for _ in everybody.clients
        ]
        answers = await everybody.ask(asked)
        assert {each.status for each in answers} == {201}, [each for each in answers if each.status != 201]
        made += len(answers)
        steps = [
            cancel(each.json(), token=token)
            if number % 2
            else change(each.json(), token=token, start=at("20:00", day % 50))
            for number, each in enumerate(answers)
        ]
        after = await everybody.ask(dice.sample(steps, len(steps)))
        assert {each.status for each in after} == {200}, [each for each in after if each.status != 200]
    count = "SELECT count(*) FROM booking WHERE venue_id = ANY ($1::text[]::uuid[])"
    assert await owner.fetchval(count, venues) == made


async def test_nobody_waits_in_a_circle(
    open_house: Any, two_servers: Crowd, owner: asyncpg.Connection
) -> None:
    await _race(*await _venues(open_house), two_servers, owner, ROUNDS)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_nobody_waits_in_a_circle_for_long(
    open_house: Any, two_servers: Crowd, owner: asyncpg.Connection
) -> None:
    await _race(*await _venues(open_house), two_servers, owner, ROUNDS_SOAK)
