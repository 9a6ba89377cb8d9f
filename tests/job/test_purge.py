"""Dead letters stay while somebody may need them, whatever becomes of their events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import orjson
import pytest

from holdfast.event.emit import emit
from holdfast.event.model import Event
from holdfast.event.months import EVENTS_KEPT_DAYS, drop_months
from holdfast.event.number import Numberer
from holdfast.job.letters import KEPT, inspect, purge_dead_letters, replay
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from tests.processes import until

from .conftest import Desk, made, reaction


async def broken(tx: Tx, event: Event) -> None:
    raise RuntimeError


BROKEN = reaction("broken", broken)


async def bury(desk: Desk, *events: Event) -> None:
    desk.react(BROKEN)
    await desk.db.run(SYSTEM, emit, events)
    async with desk.lane(BROKEN):
        await until(desk.drained)


def long_ago(event: Event) -> Event:
    """The same with an id (UUIDv7) of a month that was purged."""
    at = datetime.now(UTC) - timedelta(days=2 * EVENTS_KEPT_DAYS)
    rest = event.id.int & (2**80 - 1)
    return replace(event, id=UUID(int=int(at.timestamp() * 1000) << 80 | rest))


async def test_a_dead_letter_outlives_its_event(desk: Desk) -> None:
    event = long_ago(made(desk.tenant_id, n=7))
    await bury(desk, event)
    await Numberer(desk.db).number()
    assert await desk.db.run(SYSTEM, drop_months, 100) == 1
    assert await desk.count("event") == await desk.count("event_log") == 0

    [letter_id] = [row["id"] for row in await desk.owner.fetch("SELECT id FROM dead_letter")]
    letter, _ = await desk.db.run(SYSTEM, inspect, letter_id)
    assert letter.event == event
    seen: list[Event] = []

    async def look(tx: Tx, event: Event) -> None:
        seen.append(event)

    await desk.db.run(SYSTEM, replay, letter_id)
    async with desk.lane(reaction("broken", look)):
        await until(desk.drained)
    assert seen == [event]


async def test_a_job_outlives_its_event(desk: Desk) -> None:
    desk.react(reaction("note"))
    event = long_ago(made(desk.tenant_id))
    await desk.db.run(SYSTEM, emit, [event])
    await Numberer(desk.db).number()
    assert await desk.db.run(SYSTEM, drop_months, 100) == 1
    async with desk.lane(reaction("note")):
        await until(desk.drained)
    assert await desk.each_noted_once(1)


@pytest.mark.parametrize(
    ("ago", "gone"), [(None, 0), (KEPT - timedelta(hours=1), 0), (KEPT + timedelta(hours=1), 1)]
)
async def test_one_that_was_replayed_long_ago_goes(desk: Desk, ago: timedelta | None, gone: int) -> None:
    """One that nobody replayed never does."""
    await bury(desk, made(desk.tenant_id))
    await desk.owner.execute("UPDATE dead_letter SET first_failed_at = '2001-01-01', dead_at = '2001-01-01'")
    if ago is not None:
        await desk.owner.execute(
            "UPDATE dead_letter SET replayed_by = 'staff:alice', replayed_at = now() - $1::interval", ago
        )
    assert await desk.db.run(SYSTEM, purge_dead_letters, 10) == gone
    assert await desk.count("dead_letter") == 1 - gone
    assert await desk.count("event") == 1


async def test_they_go_by_batches(desk: Desk) -> None:
    await bury(desk, *(made(desk.tenant_id, venue_id=new_id()) for _ in range(5)))
    await desk.owner.execute(
        "UPDATE dead_letter SET replayed_by = 'x', replayed_at = now() - $1::interval", 2 * KEPT
    )
    assert [await desk.db.run(SYSTEM, purge_dead_letters, 3) for _ in range(3)] == [3, 2, 0]


async def test_while_one_purges_another_leaves_it_to_it(desk: Desk) -> None:
    await bury(desk, *(made(desk.tenant_id, venue_id=new_id()) for _ in range(2)))
    await desk.owner.execute(
        "UPDATE dead_letter SET replayed_by = 'x', replayed_at = now() - $1::interval", 2 * KEPT
    )
    async with desk.another() as other, other.transaction():
        await other.execute(
            "DELETE FROM dead_letter WHERE id = (SELECT min(id::text)::uuid FROM dead_letter)"
        )
        assert await desk.db.run(SYSTEM, purge_dead_letters, 10) == 1
    assert await desk.count("dead_letter") == 0


async def test_nobody_who_uses_the_application_removes_events_by_himself(desk: Desk) -> None:
    for table in ("event", "event_new", "event_log", "event_purge"):

        async def remove(tx: Tx, table: str = table) -> None:
            await tx.execute(f"DELETE FROM {table}")

        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await desk.db.run(SYSTEM, remove)


def test_what_a_job_carries_is_the_whole_event() -> None:
    from holdfast.event.model import FIELDS
    from holdfast.job.model import event_from
    from holdfast.kernel.db.tx import encode_text

    event = replace(
        made(new_id(), venue_id=new_id()),
        payload={"text": "ä😀", "n": 1.5},
        traceparent="00-a-b-01",
        channel="bookings",
    )
    assert event_from(encode_text(event)) == event
    assert set(orjson.loads(encode_text(event))) == set(FIELDS)
