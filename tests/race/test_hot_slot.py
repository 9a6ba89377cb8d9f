"""Everybody wants the same table at the same time: one gets it, the others get something to choose from."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from bench.crowd import Answer, Crowd
from tests.booking.asking import at
from tests.conftest import House
from tests.wire import book, staff

ROUNDS = 60
ROUNDS_SOAK = 1_000
DAYS = 250


async def _round(house: House, everybody: Crowd, number: int, token: str) -> list[Answer]:
    tables = [slug for slug in sorted(house.resources) if slug.startswith("t")]
    wanted = {"start": at("19:00", number % DAYS), "resource_ids": house.ids(tables[number // DAYS])}
    return await everybody.ask([book(house, token=token, **wanted) for _ in everybody.clients])


def _one_winner(answers: list[Answer]) -> dict[str, Any]:
    won = [each for each in answers if each.status == 201]
    assert len(won) == 1, [each.status for each in answers]
    lost = [each for each in answers if each.status != 201]
    assert {each.status for each in lost} == {409}
    for each in lost:
        refusal = each.json()
        assert refusal["code"] == "TABLE_NOT_AVAILABLE"
        assert [conflict["owner_id"] for conflict in refusal["conflicts"]] == [won[0].json()["id"]]
        assert len(refusal["suggested_slots"]) == 3
    return won[0].json()


BOOKED = "SELECT id::text FROM booking WHERE venue_id = $1"
IN_THE_WAY = """
    SELECT count(*) FROM claim
     WHERE resource_id = ANY ($1::text[]::uuid[]) AND during && tstzrange($2::text::timestamptz, $3::text::timestamptz)
"""


async def _race(house: House, everybody: Crowd, owner: asyncpg.Connection, rounds: int) -> None:
    token = staff(house)
    winners = []
    for number in range(rounds):
        answers = await _round(house, everybody, number, token)
        winners.append(_one_winner(answers)["id"])
        offered = {
            (slot["start"], slot["end"], tuple(slot["resource_ids"]))
            for each in answers
            if each.status == 409
            for slot in each.json()["suggested_slots"]
        }
        for start, end, resources in offered:
            assert await owner.fetchval(IN_THE_WAY, list(resources), start, end) == 0
    stored = [row[0] for row in await owner.fetch(BOOKED, house.venue_id)]
    assert sorted(stored) == sorted(winners)


async def test_one_of_64_wins(house: House, everybody: Crowd, owner: asyncpg.Connection) -> None:
    await _race(house, everybody, owner, ROUNDS)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_one_of_64_wins_a_thousand_times(
    open_house: Any, everybody: Crowd, owner: asyncpg.Connection
) -> None:
    tables = [{"slug": f"t{n}", "name": f"T{n}", "kind": "table", "seats_max": 4} for n in range(4)]
    await _race(await open_house(resources=tables), everybody, owner, ROUNDS_SOAK)
