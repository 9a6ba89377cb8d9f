"""When a party leaves, its place is cleaned: for the buffer that was agreed, from then on, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from holdfast.booking import due
from holdfast.booking.move import Move, move, move_set
from holdfast.booking.states import Status
from holdfast.channel.names import availability
from holdfast.channel.store import open_channel
from holdfast.claim import store
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx, lock_key
from holdfast.place.places import Places
from tests.conftest import House
from tests.waitlist.asking import around, entry_of, joined, promoted

from .asking import DAY, at, cancel, change, claims, instant, read, refused, tenant_id, tick
from .asking import move as ask_to_move

BUFFERS = {"slot_step_minutes": 5, "buffer_before_minutes": 10, "buffer_after_minutes": 30}


@pytest.fixture
async def house(open_house: Callable[..., Any]) -> House:
    return await open_house(policy=BUFFERS)


@pytest.fixture
async def one_table(open_house: Callable[..., Any]) -> House:
    return await open_house(resources=[{"slug": "t1", "name": "T1", "seats_max": 2}], policy=BUFFERS)


async def visit(house: House, start: str = "18:00", end: str = "19:00", *slugs: str) -> dict[str, Any]:
    """A party that sits at T1, or there."""
    wanted = {"start": at(start), "end": at(end), "resource_ids": house.ids(*slugs or ("t1",))}
    booking = await house.booked(**wanted, party_size=max(2, len(slugs)))
    return (await ask_to_move(house, booking, "CHECKED_IN")).json()


async def step(db: Database, house: House, booking: dict[str, Any], to: str, clock: str) -> None:
    """The step, as if it were that time on DAY."""
    venue = await Places(db).venue(UUID(house.venue_id))
    asked = Move(booking_id=UUID(booking["id"]), to=Status(to), expected_version=booking["version"])
    call = db.call(SYSTEM, tenants=[venue.tenant_id], locks=[lock_key(venue.id)], now=instant(clock))
    await call.run(move, asked, venue=venue)


async def spans(owner: asyncpg.Connection, booking: dict[str, Any]) -> list[tuple[datetime, datetime]]:
    return [(start, end) for _, _, start, end in await claims(owner, booking)]


def span(start: str, end: str) -> tuple[datetime, datetime]:
    return instant(start), instant(end)


async def first_free(house: House, after: str) -> str:
    """The first start of the day view from then on, for an hour."""
    query = {"party_size": 2, "date": str(DAY), "duration_minutes": 60}
    response = await house.client.get(f"/venues/{house.venue_id}/availability/day", params=query)
    assert response.status_code == 200, response.text
    return next(each["start"] for each in response.json()["starts"] if each["start"] >= at(after))


@pytest.mark.parametrize("late_s", [0, 7, 29 * 60])
async def test_a_tick_leaves_the_buffer_after_the_booked_end_however_late_it_is(
    one_table: House, owner: asyncpg.Connection, db: Database, late_s: int
) -> None:
    house = one_table
    booking, tenant = await visit(house), await tenant_id(owner, house)
    now = instant("19:00") + timedelta(seconds=late_s)
    assert await tick(db, tenant, due.complete, now=now) == 1
    assert datetime.fromisoformat((await read(house, booking))["completed_at"]) == instant("19:00")
    assert await spans(owner, booking) == [span("19:00", "19:30")]
    for start in ("19:00", "19:35"):  # the second has its own buffer in that time
        wanted = {"start": at(start), "end": at("20:30"), "resource_ids": house.ids("t1")}
        body = refused(await house.book(**wanted), 409, "TABLE_NOT_AVAILABLE")
        assert (body["conflicts"][0]["owner_kind"], body["conflicts"][0]["end"]) == ("cleaning", at("19:30"))
        assert body["suggested_slots"][0]["start"] == at("19:40")
        checked = await house.client.post(
            "/bookings/availability/check",
            json={"venue_id": house.venue_id, "party_size": 2, **wanted},
            headers=house.bob,
        )
        assert checked.json()["available"] is False
    assert await first_free(house, "18:00") == at("19:40")
    assert await house.booked(start=at("19:40"), resource_ids=house.ids("t1"))
    assert await tick(db, tenant, due.complete, now=now) == 0
    assert await spans(owner, booking) == [span("19:00", "19:30")]


async def test_a_tick_that_comes_when_it_is_cleaned_leaves_nothing(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    booking = await visit(house)
    assert await tick(db, await tenant_id(owner, house), due.complete, now=instant("19:30")) == 1
    assert await spans(owner, booking) == []


@pytest.mark.parametrize("to", ["COMPLETED", "CANCELLED"])
@pytest.mark.parametrize(
    ("leaves", "cleaned"), [("18:20", "18:50"), ("19:00", "19:30"), ("19:25", "19:55"), ("23:00", "23:30")]
)
async def test_by_hand_it_is_cleaned_from_then_on(
    house: House, owner: asyncpg.Connection, db: Database, to: str, leaves: str, cleaned: str
) -> None:
    booking = await visit(house)
    await step(db, house, booking, to, leaves)
    assert await spans(owner, booking) == [span(leaves, cleaned)]
    with pytest.raises(Exception, match="final"):
        await step(db, house, await read(house, booking), to, leaves)
    assert await spans(owner, booking) == [span(leaves, cleaned)]


async def test_who_never_came_leaves_nothing_to_clean(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    tenant = await tenant_id(owner, house)
    absent, rained_off, held = [
        await house.booked(start=at(start), resource_ids=house.ids("t1"), hold=start == "21:00")
        for start in ("12:00", "14:30", "21:00")
    ]
    assert await tick(db, tenant, due.no_show, now=instant("12:15")) == 1
    await cancel(house, rained_off)
    assert await tick(db, tenant, due.expire, now=instant("21:00")) == 1
    assert [await claims(owner, each) for each in (absent, rained_off, held)] == [[], [], []]


async def test_what_counts_is_the_buffer_that_was_agreed(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    booking = await visit(house)
    await house.change_policy(buffer_after_minutes=120)
    await step(db, house, booking, "COMPLETED", "18:30")
    assert await spans(owner, booking) == [span("18:30", "19:00")]
    moved = await visit(house, "12:00", "13:00", "t3")
    moved = (await change(house, moved, end=at("14:00"))).json()
    await step(db, house, moved, "COMPLETED", "13:00")
    assert await spans(owner, moved) == [span("13:00", "15:00")]


async def test_each_of_several_is_cleaned_for_its_own_time(
    open_house: Callable[..., Any], owner: asyncpg.Connection, db: Database
) -> None:
    tables = [
        {"slug": f"t{n}", "name": f"T{n}", "seats_max": 4, "buffer_after_minutes": minutes}
        for n, minutes in enumerate((0, 10, 45), start=1)
    ]
    house = await open_house(resources=tables, policy={"combination_resources_max": 3})
    booking = await visit(house, "18:00", "19:00", "t1", "t2", "t3")
    await step(db, house, booking, "COMPLETED", "18:30")
    held = {resource: (start, end) for resource, _, start, end in await claims(owner, booking)}
    assert held == {
        house.resources["t2"]: span("18:30", "18:40"),
        house.resources["t3"]: span("18:30", "19:15"),
    }


@pytest.mark.parametrize(
    ("leaves", "left"),
    [("19:45", [("19:45", "20:10")]), ("20:10", []), ("21:10", []), ("22:20", [("22:20", "22:50")])],
)
async def test_a_neighbour_keeps_what_it_has(
    house: House, owner: asyncpg.Connection, db: Database, leaves: str, left: list[tuple[str, str]]
) -> None:
    """The next party has the table from 20:10 to 22:10, its buffers included."""
    booking = await visit(house)
    following = await house.booked(start=at("20:20"), end=at("21:40"), resource_ids=house.ids("t1"))
    await step(db, house, booking, "COMPLETED", leaves)
    assert await spans(owner, booking) == [span(*each) for each in left]
    assert await spans(owner, following) == [span("20:10", "22:10")]


async def test_a_hold_past_its_time_is_no_neighbour(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    booking = await visit(house)
    held = await house.booked(start=at("19:50"), resource_ids=house.ids("t1"), hold=True)
    await step(db, house, booking, "COMPLETED", "19:30")
    assert await spans(owner, booking) == [span("19:30", "20:00")]
    assert (await read(house, held))["status"] == "EXPIRED"


async def test_of_many_units_one_is_cleaned_as_long_as_any_is_free(
    open_house: Callable[..., Any], owner: asyncpg.Connection, db: Database
) -> None:
    """Late leavers of a section: its units are alike, so a neighbour on the own one is in nobody's way."""
    house = await open_house(
        resources=[{"slug": "s1", "name": "S1", "kind": "section", "seats_max": 6, "units": 3}],
        policy=BUFFERS,
    )
    first = await visit(house, "18:00", "19:00", "s1")
    second = await visit(house, "18:00", "21:00", "s1")
    await house.booked(start=at("19:50"), end=at("21:00"), resource_ids=house.ids("s1"))
    await step(db, house, first, "COMPLETED", "19:30")
    assert [(unit, start, end) for _, unit, start, end in await claims(owner, first)] == [
        (3, *span("19:30", "20:00"))
    ]
    await step(db, house, second, "COMPLETED", "19:35")
    assert [(unit, start, end) for _, unit, start, end in await claims(owner, second)] == [
        (2, *span("19:35", "20:05"))
    ]


async def test_the_rest_is_free_at_once_and_screens_and_the_queue_hear_of_it(
    open_house: Callable[..., Any], owner: asyncpg.Connection, db: Database
) -> None:
    days = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
    slots = [
        {"id": f"s{n}", "name": f"S{n}", "start": f"{n}:00", "minutes": 60, "days": days} for n in (18, 20)
    ]
    house = await open_house(
        resources=[{"slug": "t1", "name": "T1", "seats_max": 4}], policy=BUFFERS, slots=slots
    )
    booking, venue_id = await visit(house, "18:00", "20:30"), UUID(house.venue_id)
    tenant = await tenant_id(owner, house)

    async def listen(tx: Tx) -> None:
        for each in slots:
            name = availability(DAY, str(each["id"]))
            await open_channel(tx, tenant_id=tenant, venue_id=venue_id, name=name)

    await db.call(SYSTEM, locks=[lock_key(venue_id)]).run(listen)
    wanted = {"duration_minutes": 60, "earliest": at("19:00"), "latest": at("20:00")}
    entry = await joined(house, **wanted)
    await step(db, house, booking, "COMPLETED", "18:40")

    told = await owner.fetch(
        "SELECT actor, payload FROM event WHERE venue_id = $1 AND event_type = 'availability.updated'",
        venue_id,
    )
    [(actor, payload)] = told
    payload = orjson.loads(payload)
    # Of the early slot there is nothing to say: until 19:10 it still can't be booked.
    assert (actor, payload["slot_id"], payload["new_state"]) == ("system", "s20", "available")
    assert await first_free(house, "18:00") == at("19:20")
    assert await promoted(db, house, now=instant("18:40"), around=around("18:00", "20:30")) == 1
    assert (await entry_of(house, entry))["offer"]["start"] == at("19:20")  # its own buffer goes before


async def test_of_a_booking_and_the_end_of_a_visit_at_once_neither_gets_into_the_other(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    for n, late in enumerate(("19:30", "19:40") * 4):
        day = {"days": n}
        booked = await house.booked(
            start=at("18:00", **day), end=at("19:00", **day), resource_ids=house.ids("t1")
        )
        here = (await ask_to_move(house, booked, "CHECKED_IN")).json()
        venue = await Places(db).venue(UUID(house.venue_id))
        asked = Move(booking_id=UUID(here["id"]), to=Status.COMPLETED, expected_version=here["version"])
        call = db.call(
            SYSTEM, tenants=[venue.tenant_id], locks=[lock_key(venue.id)], now=instant(late, **day)
        )
        wanted = {"start": at("20:00", **day), "resource_ids": house.ids("t1")}
        response, _ = await asyncio.gather(house.book(**wanted), call.run(move, asked, venue=venue))
        cleaned = await spans(owner, here)
        if response.status_code == 201:
            [(begins, _)] = await spans(owner, response.json())
            assert all(end <= begins for _, end in cleaned)
        else:
            refused(response, 409, "TABLE_NOT_AVAILABLE")
            assert cleaned[0][1] > instant("19:50", **day)


async def test_a_set_of_steps_leaves_the_same(house: House, owner: asyncpg.Connection, db: Database) -> None:
    sits, waits = await visit(house), await house.booked(start=at("18:00"), resource_ids=house.ids("t2"))
    venue = await Places(db).venue(UUID(house.venue_id))
    asked = [
        Move(booking_id=UUID(each["id"]), to=Status.CANCELLED, expected_version=each["version"])
        for each in (sits, waits)
    ]
    call = db.call(SYSTEM, tenants=[venue.tenant_id], locks=[lock_key(venue.id)], now=instant("18:30"))
    await call.run(move_set, asked, venue=venue)
    assert await spans(owner, sits) == [span("18:30", "19:00")]
    assert await spans(owner, waits) == []


async def test_a_block_begins_at_once_and_cleaning_ends_there(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    booking = await visit(house, "18:00", "19:00", "t1", "t2")
    await step(db, house, booking, "COMPLETED", "19:00")
    body = {"venue_id": house.venue_id, "reason": "a new lamp", "resource_ids": house.ids("t1")}
    body |= {"start": at("19:20"), "end": at("22:00")}
    made = await house.client.post("/chain/maintenance-blocks", json=body, headers=house.bob)
    assert made.status_code == 201, made.text
    held = {resource: (start, end) for resource, _, start, end in await claims(owner, booking)}
    assert held == {
        house.resources["t1"]: span("19:00", "19:20"),
        house.resources["t2"]: span("19:00", "19:30"),
    }


async def test_a_table_that_is_cleaned_can_be_removed(house: House, db: Database) -> None:
    booking = await visit(house, "18:00", "19:00", "t3")
    in_use = await house.client.delete(
        f"/resources/{house.resources['t3']}", headers={**house.alice, "if-match": '"1"'}
    )
    assert in_use.status_code == 400, in_use.text
    await step(db, house, booking, "COMPLETED", "19:00")
    gone = await house.client.delete(
        f"/resources/{house.resources['t3']}", headers={**house.alice, "if-match": '"1"'}
    )
    assert gone.status_code in (200, 204), gone.text


async def test_claims_that_are_over_leave_the_ledger_whoever_had_them(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    tenant = await tenant_id(owner, house)
    sits, left, later = (
        await visit(house),
        await visit(house, "14:00", "15:00"),
        await visit(house, "21:00", "22:00"),
    )
    await step(db, house, left, "COMPLETED", "15:00")
    call = db.call(SYSTEM, tenants=[tenant], now=instant("20:00"))

    async def archived(clock: str, limit: int = 10) -> int:
        return await call.run(store.archive, before=instant(clock), limit=limit)

    assert [await archived("19:30", 1) for _ in range(2)] == [1, 0]
    assert await archived("19:31") == 1
    assert await archived("19:31") == 0
    assert [await claims(owner, each) for each in (sits, left)] == [[], []]
    assert len(await claims(owner, later)) == 1
    kinds = await owner.fetch(
        "SELECT owner_kind FROM claim_archive WHERE tenant_id = $1 ORDER BY during", tenant
    )
    assert [row["owner_kind"] for row in kinds] == ["cleaning", "booking"]


async def test_a_booking_goes_on_without_its_archived_claims(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    tenant = await tenant_id(owner, house)
    moved, done = await visit(house), await visit(house, "18:00", "19:00", "t2")
    call = db.call(SYSTEM, tenants=[tenant], now=instant("20:00"))
    for _ in range(2):  # moved away and back, and archived again
        assert await call.run(store.archive, before=instant("19:31"), limit=10) > 0
        moved = (await change(house, moved, end=at("19:30"))).json()
        assert await spans(owner, moved) == [span("17:50", "20:00")]
        moved = (await change(house, moved, end=at("19:00"))).json()
    await step(db, house, done, "COMPLETED", "20:00")
    assert await claims(owner, done) == []
    await step(db, house, moved, "COMPLETED", "20:00")
    assert await spans(owner, moved) == [span("20:00", "20:30")]
