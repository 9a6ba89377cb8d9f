"""What anybody may ask: a query that takes long is read in parts, and holds up nobody elsewhere."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database, lanes
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import InvalidRequest
from holdfast.place.venue import Venue
from holdfast.planning import Read
from holdfast.port.ports import Ports
from tests.conftest import House
from tests.engines import connect, engine_over, nothing

ONE = "SELECT 1"


@pytest.fixture
async def venue(db: Database, open_house: Any) -> Venue:
    house: House = await open_house()
    return await engine_over(db).places.venue(UUID(house.venue_id))


async def test_between_two_parts_of_a_month_a_venue_elsewhere_is_answered(db: Database, venue: Venue) -> None:
    """Its query comes while the month goes on, and ends after at most two parts more: one that runs, one that has
    begun."""
    engine, parts, ended_after = engine_over(db), 0, list[int]()

    async def part(tx: Tx) -> None:
        nonlocal parts
        await tx.fetchval(ONE)
        parts += 1

    async def month(read: Read) -> str:
        async with asyncio.TaskGroup() as asking:
            for _ in range(10):
                await read(part)
                at = parts
                asking.create_task(elsewhere(at))
                await asyncio.sleep(0)
        return "shown"

    async def day(tx: Tx) -> str:
        return str(await tx.fetchval(ONE))

    async def elsewhere(at: int) -> None:
        assert await engine.look(SYSTEM, replace(venue, id=uuid4()), day) == "1"
        ended_after.append(parts - at)

    assert await engine.look_long(SYSTEM, venue, month) == "shown"
    assert len(ended_after) == parts == 10
    assert max(ended_after) <= 2


async def test_between_two_parts_it_holds_no_connection(db: Database, venue: Venue) -> None:
    engine = engine_over(db)

    async def part(tx: Tx) -> int:
        return await tx.fetchval(ONE)

    async def month(read: Read) -> int:
        found = 0
        for _ in range(3):
            found += await read(part)
            assert db.pool.get_size() == db.pool.get_idle_size()
        return found

    assert await engine.look_long(SYSTEM, venue, month) == 3


async def test_a_part_that_is_refused_ends_it_and_leaves_no_trace(db: Database, venue: Venue) -> None:
    engine = engine_over(db)

    async def part(_tx: Tx) -> None:
        raise InvalidRequest("no")

    async def month(read: Read) -> None:
        await read(part)

    for _ in range(3):
        with pytest.raises(InvalidRequest):
            await engine.look_long(SYSTEM, venue, month)
    assert (engine._questions._turns, engine._questions._asking) == ({}, {})


@pytest.mark.parametrize("pool_max", [1, 4, 5, 10])
async def test_those_who_take_turns_do_not_wait_for_each_other_s_connection(
    database_url: str, venue: Venue, pool_max: int
) -> None:
    """One that gave its turn away keeps its connection; with a single one for reads, nobody else could get on."""
    db = await connect(database_url, pool_max=pool_max, lanes=lanes(pool_max), deadline_s=60)
    try:
        engine = Engine(db, ports=Ports(), react=nothing)

        async def long(tx: Tx) -> int:
            slices = Slices()
            for _ in range(30):
                await tx.fetchval("SELECT pg_sleep(0.005)")
                await slices.rest()
            return 1

        places = [replace(venue, id=uuid4()) for _ in range(3)]
        asked = [engine.look(SYSTEM, place, long) for place in places]
        assert await asyncio.gather(*asked) == [1, 1, 1]
    finally:
        await db.close()
