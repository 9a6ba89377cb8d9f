"""Units are anonymous: claims move to other units where that makes room, and nobody notices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from holdfast.booking import due
from holdfast.booking.making.create import Booked, create
from holdfast.booking.wanted import Wanted, When
from holdfast.claim import recolour
from holdfast.claim import store as claim_store
from holdfast.claim.model import Claim
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import lock_key
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.place.places import Places
from tests.block.asking import blocked, remove
from tests.conftest import House
from tests.waitlist.asking import joined, promoted

from .asking import at, cancel, change, claims, history, instant, move, read, refused, tenant_id, tick
from .units import client as client
from .units import database_url as database_url
from .units import day, floor
from .units import db as db
from .units import served as served
from .units import sound as sound


@pytest.fixture
async def two(open_house: Any) -> House:
    return await open_house(resources=[floor(2)])


async def book(house: House, start: str, end: str, slug: str = "floor", **more: Any) -> dict[str, Any]:
    return await house.booked(start=at(start), end=at(end), resource_ids=house.ids(slug), **more)


async def asked(house: House, start: str, end: str) -> httpx.Response:
    return await house.book(start=at(start), end=at(end), resource_ids=house.ids("floor"))


async def unit(owner: asyncpg.Connection, booking: dict[str, Any]) -> int:
    return (await claims(owner, booking))[0][1]


async def scatter(
    house: House, slug: str = "floor", until: str = "20:00"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """18-19 is taken on the first unit, 19-20 on the second."""
    whole = await book(house, "18:00", "20:00", slug)
    later = await book(house, "19:00", until, slug)
    await cancel(house, whole)
    return await book(house, "18:00", "19:00", slug), later


async def test_two_halves_make_a_whole(two: House, owner: asyncpg.Connection) -> None:
    first, later = await scatter(two)
    assert (await unit(owner, first), await unit(owner, later)) == (1, 2)
    whole = await book(two, "18:00", "20:00")
    assert await unit(owner, first) == await unit(owner, later) != await unit(owner, whole)
    full = refused(await asked(two, "18:30", "19:30"), 409, "SECTION_NOT_AVAILABLE")
    assert len(full["conflicts"]) == 3


async def test_who_moves_is_none_the_wiser(two: House, owner: asyncpg.Connection) -> None:
    first, later = await scatter(two)
    row = "SELECT to_jsonb(claim) - 'unit' FROM claim WHERE owner_id = $1"
    before = [await owner.fetchval(row, each["id"]) for each in (first, later)]
    await book(two, "18:00", "20:00")
    assert [await owner.fetchval(row, each["id"]) for each in (first, later)] == before
    assert [await read(two, each) for each in (first, later)] == [first, later]
    assert [len(await history(two, each)) for each in (first, later)] == [1, 1]


async def test_what_looks_free_can_be_booked(two: House) -> None:
    await scatter(two)
    body = {"venue_id": two.venue_id, "start": at("18:00"), "end": at("20:00"), "party_size": 2}
    found = await two.client.post("/bookings/availability/check", json=body)
    assert found.json()["options"] == [{"resource_ids": two.ids("floor"), "seats_wasted": 4}]
    assert at("18:00") in await day(two, minutes=120)
    await book(two, "18:00", "20:00")
    assert (await two.client.post("/bookings/availability/check", json=body)).json()["available"] is False
    assert at("18:00") not in await day(two, minutes=120)


async def test_a_set_moves_what_it_made_itself(two: House, owner: asyncpg.Connection, db: Database) -> None:
    """Of three that are decided on together the last needs the second elsewhere, which nobody has written yet."""
    await book(two, "10:00", "12:00")
    tenant, venue = await tenant_id(owner, two), UUID(two.venue_id)
    wanted = [
        Wanted(
            id=new_id(),
            tenant_id=tenant,
            venue_id=venue,
            actor=SYSTEM,
            when=When(start=instant(start), end=instant(end)),
            party_size=2,
            resource_ids=(UUID(two.resources["floor"]),),
        )
        for start, end in (("11:00", "13:00"), ("13:00", "14:00"), ("12:00", "14:00"))
    ]
    call = db.call(SYSTEM, tenants=[tenant], locks=[lock_key(venue)])
    made = await call.run(create, wanted, places=Places(db))
    assert [type(each) for each in made] == [Booked] * 3
    assert [await unit(owner, {"id": each.id}) for each in wanted] == [2, 2, 1]


async def test_a_change_moves_others(two: House) -> None:
    await scatter(two)
    elsewhere = await book(two, "12:00", "14:00")
    changed = await change(two, elsewhere, start=at("18:00"))
    assert changed.status_code == 200, changed.text
    refused(await asked(two, "18:30", "19:30"), 409, "SECTION_NOT_AVAILABLE")


async def test_a_longer_visit_moves_others(two: House) -> None:
    first, _ = await scatter(two)
    other = await book(two, "20:00", "21:00")
    longer = await change(two, first, end=at("20:00"))
    assert longer.status_code == 200, longer.text
    longest = await change(two, longer.json(), end=at("21:00"))
    assert longest.status_code == 200, longest.text
    refused(await change(two, other, start=at("19:00"), end=at("20:00")), 409, "SECTION_NOT_AVAILABLE")


async def test_who_gets_a_place_again_moves_others(two: House) -> None:
    whole = await book(two, "18:00", "20:00")
    made = await blocked(two, "floor", start=at("18:00"), end=at("20:00"), on_conflict="displace")
    assert (await remove(two, made)).status_code in (200, 204)
    await scatter(two)
    back = await move(two, await read(two, whole), "CONFIRMED")
    assert back.status_code == 200, back.text
    refused(await asked(two, "18:30", "19:30"), 409, "SECTION_NOT_AVAILABLE")


async def test_a_hold_past_its_time_makes_room_for_what_moves(
    two: House, owner: asyncpg.Connection, db: Database
) -> None:
    """19-20 has to go to the first unit, where a hold of 19-21 is that nobody has swept yet."""
    first = await book(two, "18:00", "19:00")
    hold = await book(two, "19:00", "21:00", hold=True)
    later = await book(two, "19:00", "20:00")
    assert [await unit(owner, each) for each in (first, hold, later)] == [1, 1, 2]
    past = "UPDATE {} SET expires_at = now() - interval '1 second' WHERE {} = $1"
    await owner.execute(past.format("booking", "id"), hold["id"])
    await owner.execute(past.format("claim", "owner_id"), hold["id"])
    await book(two, "18:00", "20:00")
    assert await unit(owner, later) == 1
    assert (await read(two, hold))["status"] == "EXPIRED"
    assert await tick(db, await tenant_id(owner, two), due.expire, now=instant("12:00")) == 0


async def test_too_much_to_move_is_refused_as_what_it_is(two: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await scatter(two)
    monkeypatch.setattr(recolour, "MOVES_MAX", 0)
    refusal = refused(await asked(two, "18:00", "20:00"), 409, "SECTION_NOT_AVAILABLE")
    assert refusal["detail"].startswith("Too many bookings would have to move"), refusal["detail"]
    assert refusal["conflicts"] == []


async def test_a_series_is_booked_where_units_are_left(two: House) -> None:
    await scatter(two)
    body = {
        "venue_id": two.venue_id,
        "party_size": 2,
        "resource_ids": two.ids("floor"),
        "start": at("18:00"),
        "end": at("20:00"),
        "rrule": "FREQ=DAILY;COUNT=2",
    }
    seen = await two.client.post("/series/preview", json=body, headers=two.bob)
    assert [each["free"] for each in seen.json()["occurrences"]] == [True, True], seen.text
    made = await two.client.post("/series", json=body, headers=two.bob)
    assert made.status_code == 201, made.text


async def test_all_who_wait_are_offered_what_units_are_left_for(open_house: Any, db: Database) -> None:
    """Four offers of one batch, and for each a claim has to move that reaches further than it."""
    slugs = [f"f{n}" for n in range(4)]
    house: House = await open_house(resources=[floor(2) | {"slug": slug} for slug in slugs])
    for slug in slugs:
        await scatter(house, slug, until="21:00")
        wanted = {"duration_minutes": 120, "resource_ids": house.ids(slug)}
        await joined(house, earliest=at("18:00"), latest=at("18:00"), **wanted)
    assert await promoted(db, house) == 4


async def test_two_swap_their_units(two: House, owner: asyncpg.Connection, db: Database) -> None:
    tenant, floor_id = await tenant_id(owner, two), UUID(two.resources["floor"])
    span = Span(instant("18:00"), instant("19:00"))
    both = [await book(two, "18:00", "19:00") for _ in range(2)]
    one, other = (Claim(tenant, floor_id, n, span, UUID(each["id"])) for n, each in enumerate(both, start=1))
    swapped = {one: replace(one, unit=2), other: replace(other, unit=1)}
    await db.call(SYSTEM, tenants=[tenant]).run(claim_store.move, swapped)
    assert [await unit(owner, each) for each in both] == [2, 1]


async def test_what_has_left_the_ledger_does_not_come_back(
    two: House, owner: asyncpg.Connection, db: Database
) -> None:
    """As when it was archived between the look and the move."""
    first, _ = await scatter(two)
    tenant, floor_id = await tenant_id(owner, two), UUID(two.resources["floor"])
    span = Span(instant("18:00"), instant("19:00"))
    there = Claim(tenant, floor_id, 1, span, UUID(first["id"]))
    gone = Claim(tenant, floor_id, 1, span, new_id())
    moved = {each: Claim(tenant, floor_id, 2, span, each.owner_id) for each in (there, gone)}
    await db.call(SYSTEM, tenants=[tenant]).run(claim_store.move, moved)
    rows = await owner.fetch(
        "SELECT owner_id, unit FROM claim WHERE resource_id = $1 ORDER BY unit", floor_id
    )
    assert [row["unit"] for row in rows] == [2, 2]
    assert gone.owner_id not in {row["owner_id"] for row in rows}
