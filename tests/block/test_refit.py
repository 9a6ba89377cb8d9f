"""After the venue changed, its blocks hold what they say again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.audit.blocks import BLOCKS
from holdfast.block.refit import refit
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db import Database
from holdfast.kernel.tx import Tx, lock_key
from holdfast.place.store import load_venues
from tests.audit.bookings import step
from tests.block.asking import RULES, blocked
from tests.booking.asking import at
from tests.conftest import House

SECTION = {"slug": "s1", "name": "S1", "kind": "section", "seats_max": 6, "units": 2}
HELD = """
    SELECT unit, lower(during) AS start_at FROM claim
     WHERE owner_id = $1::text::uuid ORDER BY start_at, unit
"""


@pytest.fixture
async def owner(database_url: str) -> Any:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def grow(house: House, units: int) -> None:
    await house.replace({**house.document, "resources": [{**SECTION, "units": units}]})


async def run_refit(db: Database, house: House) -> None:
    async def verb(tx: Tx) -> None:
        [venue] = (await load_venues(tx, [UUID(house.venue_id)])).values()
        await refit(tx, venue)

    await db.call(SYSTEM, locks=[lock_key(UUID(house.venue_id))]).run(verb)


async def units(owner: asyncpg.Connection, block: dict[str, Any]) -> list[int]:
    return [row["unit"] for row in await owner.fetch(HELD, block["id"])]


@pytest.fixture
async def house(open_house: Callable[..., Any]) -> House:
    return await open_house(resources=[SECTION], policy=RULES)


async def test_more_units_are_blocked_too(house: House, db: Database, owner: asyncpg.Connection) -> None:
    block = await blocked(house, "s1", rrule="FREQ=DAILY;COUNT=2")
    assert await units(owner, block) == [1, 2, 1, 2]
    await grow(house, 4)
    await run_refit(db, house)
    assert await units(owner, block) == [1, 2, 3, 4] * 2
    before = await owner.fetch("SELECT xmin::text FROM claim WHERE owner_id = $1::text::uuid", block["id"])
    await run_refit(db, house)
    assert (
        await owner.fetch("SELECT xmin::text FROM claim WHERE owner_id = $1::text::uuid", block["id"])
        == before
    )
    rows = [dict(row) for row in await owner.fetch(BLOCKS[0].sql) if str(row["id"]) == block["id"]]
    assert BLOCKS[0].judge is not None
    assert list(BLOCKS[0].judge(rows)) == []


async def test_who_got_there_first_is_displaced_or_sits_there(
    house: House, db: Database, owner: asyncpg.Connection
) -> None:
    block = await blocked(house, "s1")
    await grow(house, 4)
    books = await house.booked(start=at("12:00"), resource_ids=house.ids("s1"))
    sits = await house.booked(start=at("12:00"), resource_ids=house.ids("s1"))
    await step(house, sits, "CHECKED_IN")
    await run_refit(db, house)
    shown = [
        (await house.client.get(f"/bookings/{each['id']}", headers=house.bob)).json()["status"]
        for each in (books, sits)
    ]
    assert shown == ["MANUAL_REVIEW", "CHECKED_IN"]
    assert await units(owner, block) == [1, 2, 3]


async def test_what_is_too_much_goes(house: House, db: Database, owner: asyncpg.Connection) -> None:
    block = await blocked(house, "s1", rrule="FREQ=DAILY;COUNT=2")
    await owner.execute(
        "UPDATE claim SET during = tstzrange(lower(during), upper(during) + interval '1 hour')"
        " WHERE owner_id = $1::text::uuid AND unit = 2",
        block["id"],
    )
    await run_refit(db, house)
    assert await units(owner, block) == [1, 2, 1, 2]
    spans = (
        "SELECT DISTINCT upper(during) - lower(during) AS length FROM claim WHERE owner_id = $1::text::uuid"
    )
    assert [row["length"].total_seconds() / 3600 for row in await owner.fetch(spans, block["id"])] == [8]
