"""Units that are added to a venue are blocked in the same transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from holdfast.audit.blocks import BLOCKS
from holdfast.block import refit as refit_module
from holdfast.block.refit import refit
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx, lock_key
from holdfast.place.store import load_venues
from tests.block.asking import RULES, blocked, intervals
from tests.block.test_announce import opened
from tests.booking.asking import at, refused
from tests.conftest import House

SECTION = {"slug": "s1", "name": "S1", "kind": "section", "seats_max": 6, "units": 2}
LANE = {"slug": "l1", "name": "L1", "kind": "lane", "seats_max": 6, "units": 3}
HELD = """
    SELECT unit, lower(during) AS start_at FROM claim
     WHERE owner_id = $1::text::uuid ORDER BY start_at, unit
"""


@pytest.fixture
async def owner(database_url: str) -> Any:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def house(open_house: Callable[..., Any]) -> House:
    return await open_house(resources=[SECTION, LANE], policy=RULES)


async def by_import(house: House, units: int) -> None:
    await house.replace({**house.document, "resources": [{**SECTION, "units": units}, LANE]})


async def by_patch(house: House, units: int) -> None:
    path = f"/resources/{house.resources['s1']}"
    version = (await house.client.get(path, headers=house.alice)).headers["etag"]
    changed = await house.client.patch(
        path, json={"units": units}, headers={**house.alice, "if-match": version}
    )
    assert changed.status_code == 200, changed.text


async def units(owner: asyncpg.Connection, block: dict[str, Any]) -> list[int]:
    return [row["unit"] for row in await owner.fetch(HELD, block["id"])]


async def written(owner: asyncpg.Connection, block: dict[str, Any]) -> list[str]:
    """Returns the transactions that wrote it."""
    rows = await owner.fetch("SELECT xmin::text FROM claim WHERE owner_id = $1::text::uuid", block["id"])
    return [row["xmin"] for row in rows]


@pytest.mark.parametrize("grow", [by_import, by_patch])
async def test_more_units_are_blocked_with_the_change(
    house: House, owner: asyncpg.Connection, db: Database, grow: Callable[..., Any]
) -> None:
    block = await blocked(house, "s1", rrule="FREQ=DAILY;COUNT=2")
    channel = await opened(db, house)
    assert await units(owner, block) == [1, 2, 1, 2]
    await grow(house, 4)
    assert await units(owner, block) == [1, 2, 3, 4] * 2
    for _ in range(4):
        wanted = {"start": at("12:00"), "resource_ids": house.ids("s1")}
        refused(await house.book(**wanted), 409, "SECTION_NOT_AVAILABLE")
    assert await house.booked(start=at("18:00"), resource_ids=house.ids("s1"))
    rows = [dict(row) for row in await owner.fetch(BLOCKS[0].sql) if str(row["id"]) == block["id"]]
    assert BLOCKS[0].judge is not None
    assert list(BLOCKS[0].judge(rows)) == []
    # The change of the venue resets the channel, and the slot is still closed.
    events = "SELECT count(*) FROM event WHERE venue_id = $1::text::uuid AND channel = $2"
    assert await owner.fetchval(events, house.venue_id, channel) == 0
    payload = await owner.fetchval(
        "SELECT payload FROM event WHERE venue_id = $1::text::uuid AND event_type = 'venue.updated'",
        house.venue_id,
    )
    assert orjson.loads(payload)["grown_resource_ids"] == house.ids("s1")


async def test_nobody_gets_there_first(house: House, owner: asyncpg.Connection) -> None:
    """A booking at the same time is decided either before the units exist or after they are blocked."""
    block = await blocked(house, "s1")
    wanted = {"start": at("12:00"), "resource_ids": house.ids("s1")}
    for more in range(3, 9):
        answers, _ = await asyncio.gather(
            asyncio.gather(*(house.book(**wanted) for _ in range(4))), by_import(house, more)
        )
        assert [each.status_code for each in answers] == [409] * 4
        assert await units(owner, block) == list(range(1, more + 1))


async def test_other_changes_write_no_claims(house: House, owner: asyncpg.Connection) -> None:
    block = await blocked(house, "s1", "l1")
    before = await written(owner, block)
    fewer = [{**SECTION, "name": "The bar"}, {**LANE, "active": False}]
    await house.replace({**house.document, "resources": fewer})
    await house.replace(
        {**house.document, "resources": [SECTION, LANE], "policy": RULES | {"hold_ttl_seconds": 99}}
    )
    assert await written(owner, block) == before


async def test_only_what_is_to_come_is_taken(house: House, owner: asyncpg.Connection, db: Database) -> None:
    """It takes nothing twice."""
    block = await blocked(house, "s1", "l1", rrule="FREQ=DAILY;COUNT=3")
    await owner.execute(
        "DELETE FROM claim WHERE owner_id = $1::text::uuid AND resource_id = $2::text::uuid AND unit = 2",
        block["id"],
        house.resources["s1"],
    )
    start = (await intervals(house, "s1", at("00:00", days=1), at("00:00", days=2)))[0]["start"]

    async def verb(tx: Tx) -> None:
        [venue] = (await load_venues(tx, [UUID(house.venue_id)])).values()
        await refit(tx, venue, grown={UUID(house.resources["s1"])})

    call = db.call(SYSTEM, locks=[lock_key(UUID(house.venue_id))], now=datetime.fromisoformat(start))
    for _ in range(2):
        await call.run(verb)
        held = await owner.fetch(HELD, block["id"])
        # Section and lane: their first units on all three days, the second of the section from the second day on.
        assert [row["unit"] for row in held] == [1, 1, 2, 3, 1, 1, 2, 2, 3, 1, 1, 2, 2, 3]


async def test_a_change_that_would_block_too_much_is_refused(
    house: House, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refit_module, "CLAIMS_MAX", 5)
    blocks = [
        await blocked(house, "s1", start=at("09:00", days=n), end=at("10:00", days=n)) for n in range(3)
    ]
    path = f"/resources/{house.resources['s1']}"
    answer = await house.client.patch(path, json={"units": 4}, headers={**house.alice, "if-match": '"1"'})
    body = refused(answer, 400, "INVALID_REQUEST")
    assert body["errors"][0]["field"] == "units"
    assert [await units(owner, each) for each in blocks] == [[1, 2]] * 3
    assert (await house.client.get(path, headers=house.alice)).json()["units"] == 2
    await by_patch(house, 3)
    assert [await units(owner, each) for each in blocks] == [[1, 2, 3]] * 3
