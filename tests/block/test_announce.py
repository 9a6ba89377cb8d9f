"""A block is announced on the availability channels at once, whoever made it; and so is its end."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import orjson

from holdfast.channel.names import availability
from holdfast.channel.store import open_channel
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx, lock_key
from holdfast.place.opening.slot import DAY_SLOT_ID
from holdfast.place.store import load_venues
from tests.block.asking import blocked, change, remove
from tests.booking.asking import DAY
from tests.conftest import House

EVENTS_ON = """
    SELECT event_type, actor, payload, version FROM event
     WHERE venue_id = $1::text::uuid AND channel = $2 ORDER BY version
"""


async def opened(db: Database, house: House) -> str:
    """Opens DAY's channel and returns its name."""
    name = availability(DAY, DAY_SLOT_ID)

    async def verb(tx: Tx) -> None:
        [venue] = (await load_venues(tx, [UUID(house.venue_id)])).values()
        await open_channel(tx, tenant_id=venue.tenant_id, venue_id=venue.id, name=name)

    await db.call(SYSTEM, locks=[lock_key(UUID(house.venue_id))]).run(verb)
    return name


async def events_on(database_url: str, house: House, channel: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(EVENTS_ON, house.venue_id, channel)
    await connection.close()
    return [
        {"type": row["event_type"], "actor": row["actor"], "version": row["version"]}
        | {
            name: orjson.loads(row["payload"])[name]
            for name in ("section_id", "previous_state", "new_state", "reason")
        }
        for row in rows
    ]


async def test_screens_are_told_of_the_block_and_of_its_end(
    alley: House, db: Database, database_url: str
) -> None:
    channel = await opened(db, alley)
    made = await blocked(alley, "l5", "l6", rrule="FREQ=DAILY;COUNT=3")
    changed = (await change(alley, made, reason="new reason")).json()
    await remove(alley, changed)
    expected = [
        ("staff:alice", "available", "blocked", "resurfacing"),
        ("staff:bob", "blocked", "available", "new reason"),
    ]
    assert await events_on(database_url, alley, channel) == [
        {
            "type": "availability.updated",
            "actor": actor,
            "version": 2 * turn + place + 1,
            "section_id": alley.resources[slug],
            "previous_state": before,
            "new_state": after,
            "reason": reason,
        }
        for turn, (actor, before, after, reason) in enumerate(expected)
        for place, slug in enumerate(("l5", "l6"))
    ]


async def test_an_end_tells_of_the_days_that_are_free_again(
    alley: House, db: Database, database_url: str
) -> None:
    made = await blocked(alley, "l5", rrule="FREQ=DAILY;COUNT=3")
    channel = await opened(db, alley)
    later = (await change(alley, made, cancelled_from=DAY.replace(year=DAY.year + 1).isoformat())).json()
    assert await events_on(database_url, alley, channel) == []
    await change(alley, later, cancelled_from=DAY.isoformat())
    [event] = await events_on(database_url, alley, channel)
    assert (event["previous_state"], event["new_state"]) == ("blocked", "available")
