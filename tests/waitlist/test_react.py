"""The queue moves when an event frees something, and by a sweep for what was missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from holdfast.event.model import Event
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.waitlist.react import promote_freed, sweep
from tests.booking.asking import at, cancel, change, instant, move, tenant_id
from tests.conftest import House
from tests.engines import connect, engine_over

from .asking import Counting, Json, Knobs, answer, entry_of, joined

PINNED: Json = {"earliest": at("18:00"), "latest": at("18:00")}


@pytest.fixture
async def one_table(open_house: Any) -> House:
    return await open_house(resources=[{"slug": "t1", "name": "T1", "seats_max": 4}])


async def last_event(owner: asyncpg.Connection, house: House, type_: str) -> Event:
    row = await owner.fetchrow(
        "SELECT * FROM event WHERE venue_id = $1 AND event_type = $2 ORDER BY id DESC LIMIT 1",
        UUID(house.venue_id),
        type_,
    )
    assert row is not None
    return Event(
        id=row["id"],
        tenant_id=row["tenant_id"],
        event_type=row["event_type"],
        venue_id=row["venue_id"],
        subject_id=row["subject_id"],
        payload=orjson.loads(row["payload"]),
        actor=row["actor"],
        created_at=row["created_at"],
        channel=row["channel"],
    )


async def react(db: Database, event: Event, *, now: datetime | None = None) -> int:
    """Runs the reaction to its end. Returns the number of statements it took."""
    ended: list[Tx] = []

    async def finish(tx: Tx) -> None:
        ended.append(tx)

    counting = Counting()
    await promote_freed(engine_over(Knobs(db, {"now": now}, counting).as_database), event, finish=finish)
    assert len(ended) == 1
    return counting.all


async def status_of(house: House, entry: Json) -> str:
    return (await entry_of(house, entry))["status"]


async def test_a_cancellation_frees(db: Database, one_table: House, owner: asyncpg.Connection) -> None:
    booking = await one_table.booked(start=at("18:00"))
    entry = await joined(one_table, **PINNED)
    await cancel(one_table, booking)
    event = await last_event(owner, one_table, "booking.cancelled")
    for _ in range(2):
        await react(db, event)
        assert await status_of(one_table, entry) == "OFFERED"


async def test_a_move_frees_the_time_before(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    booking = await one_table.booked(start=at("18:00"))
    entry = await joined(one_table, **PINNED)
    assert (await change(one_table, booking, start=at("12:00"))).status_code == 200
    await react(db, await last_event(owner, one_table, "booking.updated"))
    assert await status_of(one_table, entry) == "OFFERED"


async def test_a_move_is_looked_at_where_it_freed_something(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    """A move frees the span it left, and only that is looked at. An old event may lack that span: then all of the
    queue is."""
    booking = await one_table.booked(start=at("18:00"))
    assert (await change(one_table, booking, start=at("12:00"))).status_code == 200
    event = await last_event(owner, one_table, "booking.updated")
    there = await joined(one_table, **PINNED)
    elsewhere = await joined(one_table, earliest=at("15:00"), latest=at("15:00"))
    await react(db, event)
    assert [await status_of(one_table, each) for each in (there, elsewhere)] == ["OFFERED", "WAITING"]
    without_span = {name: value for name, value in event.payload.items() if "previous" not in name}
    await react(db, replace(event, payload=without_span))
    assert await status_of(one_table, elsewhere) == "OFFERED"


async def test_another_table_at_the_same_time_frees_that_time(
    db: Database, open_house: Any, owner: asyncpg.Connection
) -> None:
    house: House = await open_house(resources=[{"slug": "t1"}, {"slug": "t2"}])
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    entry = await joined(house, **PINNED, resource_ids=house.ids("t1"))
    assert (await change(house, booking, resource_ids=house.ids("t2"))).status_code == 200
    await react(db, await last_event(owner, house, "booking.updated"))
    assert await status_of(house, entry) == "OFFERED"


async def test_a_visit_that_ends_early_frees_the_rest(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    booking = await one_table.booked(start=at("18:00"))
    booking = (await move(one_table, booking, "CHECKED_IN")).json()
    entry = await joined(one_table, earliest=at("18:45"), latest=at("18:45"))
    assert (await move(one_table, booking, "COMPLETED")).status_code == 200
    await react(db, await last_event(owner, one_table, "booking.completed"), now=instant("18:30"))
    assert await status_of(one_table, entry) == "OFFERED"


async def test_who_joins_when_it_is_free_is_offered_it(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    entry = await joined(one_table, **PINNED)
    await react(db, await last_event(owner, one_table, "waitlist.joined"))
    assert await status_of(one_table, entry) == "OFFERED"


async def test_who_joins_when_it_is_free_lets_those_before_have_it(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    first, second = [await joined(one_table, **PINNED) for _ in range(2)]
    event = await last_event(owner, one_table, "waitlist.joined")
    assert str(event.subject_id) == second["id"]
    await react(db, event)
    assert [await status_of(one_table, each) for each in (first, second)] == ["OFFERED", "WAITING"]


async def test_who_joins_a_full_house_has_nobody_else_looked_at(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    """Otherwise each join would cost more the longer the queue is."""
    await one_table.booked(start=at("18:00"))
    other = await joined(one_table, earliest=at("18:00"), latest=at("21:00"))
    await joined(one_table, **PINNED)
    await react(db, await last_event(owner, one_table, "waitlist.joined"))
    assert await status_of(one_table, other) == "WAITING"
    await answer(one_table, await joined(one_table, **PINNED), "leave")
    await react(db, await last_event(owner, one_table, "waitlist.joined"))
    assert await status_of(one_table, other) == "WAITING"


async def test_who_would_come_any_time_is_offered_the_first(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    await one_table.booked(start=at("10:00"), end=at("23:00"))
    entry = await joined(one_table, earliest=at("10:00"), latest=at("10:00", days=31))
    await react(db, await last_event(owner, one_table, "waitlist.joined"))
    assert (await entry_of(one_table, entry))["offer"]["start"] == at("10:00", days=1)


async def test_an_offer_that_was_turned_into_a_booking_is_accepted(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    entry = await joined(one_table, one_table.gina, **PINNED)
    await react(db, await last_event(owner, one_table, "waitlist.joined"))
    held = {"id": (await entry_of(one_table, entry))["booking_id"], "version": 1}
    assert (await move(one_table, held, "RESERVED", one_table.gina)).status_code == 200
    await react(db, await last_event(owner, one_table, "booking.status_changed"))
    assert await status_of(one_table, entry) == "ACCEPTED"


async def test_a_declined_offer_goes_on(db: Database, one_table: House, owner: asyncpg.Connection) -> None:
    first, second = await joined(one_table, **PINNED), await joined(one_table, **PINNED)
    await react(db, await last_event(owner, one_table, "waitlist.joined"))
    await answer(one_table, first, "decline")
    await react(db, await last_event(owner, one_table, "booking.cancelled"))
    assert [await status_of(one_table, each) for each in (first, second)] == ["DECLINED", "OFFERED"]


@pytest.mark.parametrize(
    ("type_", "payload"),
    [
        ("booking.created", {"from_status": None, "status": "RESERVED"}),
        ("booking.confirmed", {"from_status": "RESERVED", "status": "CONFIRMED"}),
        ("booking.checked_in", {"from_status": "CONFIRMED", "status": "CHECKED_IN"}),
        ("booking.expired", {"from_status": "MANUAL_REVIEW", "status": "EXPIRED"}),
        ("block.created", {}),
        ("waitlist.offered", {}),
        ("waitlist.left", {}),
        ("availability.updated", {}),
    ],
)
async def test_what_frees_nothing_is_not_even_looked_into(
    db: Database, one_table: House, owner: asyncpg.Connection, type_: str, payload: Json
) -> None:
    entry = await joined(one_table, **PINNED)
    event = await last_event(owner, one_table, "waitlist.joined")
    nothing = await react(db, replace(event, event_type="tenant.updated", venue_id=None))
    assert await react(db, replace(event, event_type=type_, payload=payload)) == nothing
    assert await status_of(one_table, entry) == "WAITING"


async def test_where_nobody_waits_it_costs_one_probe(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    await cancel(one_table, await one_table.booked(start=at("18:00")))
    event = await last_event(owner, one_table, "booking.cancelled")
    nothing = await react(db, replace(event, venue_id=None))
    assert await react(db, event) == nothing + 1


async def test_a_change_of_guest_data_frees_nothing(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    booking = await one_table.booked(start=at("12:00"))
    entry = await joined(one_table, **PINNED)
    assert (await change(one_table, booking, guest_name="Anna")).status_code == 200
    await react(db, await last_event(owner, one_table, "booking.updated"))
    assert await status_of(one_table, entry) == "WAITING"


async def test_a_block_that_is_changed_may_have_freed_any_time(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    entry = await joined(one_table, **PINNED)
    event = await last_event(owner, one_table, "waitlist.joined")
    now_at_noon = {"start": at("12:00"), "end": at("13:00")}
    await react(db, replace(event, event_type="block.updated", payload=now_at_noon))
    assert await status_of(one_table, entry) == "OFFERED"


async def test_a_block_that_is_lifted_frees(
    db: Database, one_table: House, owner: asyncpg.Connection
) -> None:
    type_ = "block.cancelled"
    entry = await joined(one_table, **PINNED)
    event = await last_event(owner, one_table, "waitlist.joined")
    await react(db, replace(event, event_type=type_, payload={"start": at("12:00"), "end": at("13:00")}))
    assert await status_of(one_table, entry) == "WAITING"
    await react(db, replace(event, event_type=type_, payload={"start": at("12:00"), "end": at("19:00")}))
    assert await status_of(one_table, entry) == "OFFERED"


async def test_the_sweep_finds_what_no_event_told_of(
    db: Database, open_house: Any, owner: asyncpg.Connection
) -> None:
    houses: list[House] = [await open_house(resources=[{"slug": "t1"}]) for _ in range(3)]
    entries = [await joined(house, **PINNED) for house in houses]
    tenants = [await tenant_id(owner, house) for house in houses]

    async def once(second: int) -> int:
        now = datetime.fromtimestamp(second, instant("00:00").tzinfo)
        return await swept(db, {"tenants": tenants, "now": now}, 2)

    start = int(instant("12:00").timestamp()) // 180 * 180
    assert [await once(start), await once(start + 30), await once(start + 60)] == [2, 1, 0]
    assert [await status_of(*pair) for pair in zip(houses, entries, strict=True)] == ["OFFERED"] * 3


async def test_the_sweep_leaves_out_whose_lock_is_taken(
    database_url: str, open_house: Any, owner: asyncpg.Connection
) -> None:
    db = await connect(database_url, deadline_s=5)
    houses: list[House] = [await open_house(resources=[{"slug": "t1"}]) for _ in range(2)]
    entries = [await joined(house, **PINNED) for house in houses]
    tenants = [await tenant_id(owner, house) for house in houses]
    async with owner.transaction():
        await owner.execute("SELECT pg_advisory_xact_lock($1::bigint)", _key(houses[0]))
        assert await swept(db, {"tenants": tenants}, 2) == 1
    await db.close()
    assert [await status_of(*pair) for pair in zip(houses, entries, strict=True)] == ["WAITING", "OFFERED"]


def _key(house: House) -> int:
    return int.from_bytes(UUID(house.venue_id).bytes[8:], "big", signed=True)


async def test_nothing_to_sweep(db: Database, one_table: House, owner: asyncpg.Connection) -> None:
    assert await swept(db, {"tenants": [await tenant_id(owner, one_table)]}, 2) == 0


async def swept(db: Database, knobs: Json, limit: int) -> int:
    return await sweep(engine_over(Knobs(db, knobs).as_database), limit)
