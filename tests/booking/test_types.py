"""Bookings of a type: promised at once, on a resource of their own when the policy says so."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from holdfast.booking import bind
from holdfast.kernel.db.database import Database
from tests.block.asking import block, remove
from tests.conftest import House

from .asking import DAY, at, cancel, change, claims, history, instant, move, read, refused, tenant_id, tick

Open = Callable[..., Any]
DOUBLES, SINGLES = 3, 2
POLICY = {"default_duration_minutes": 20 * 60, "slot_step_minutes": 60, "duration_minutes_max": 60 * 24 * 60}


def hotel(**policy: Any) -> dict[str, Any]:
    rooms = [
        {"slug": f"d{n}", "kind": "room", "group": "double-sea", "seats_max": 2} for n in range(DOUBLES)
    ] + [{"slug": f"s{n}", "kind": "room", "group": "single", "seats_max": 1} for n in range(SINGLES)]
    return {"resources": rooms, "hours": {}, "policy": POLICY | policy}


def nights(first: int, many: int) -> dict[str, str]:
    return {"start": at("15:00", first), "end": at("11:00", first + many)}


async def states(house: House) -> dict[str, str]:
    path = f"/clubs/{house.tenant}/venues/{house.venue['slug']}/availability"
    seen = await house.client.get(path, params={"date": str(DAY)}, headers=house.bob)
    return {each["name"]: each["state"] for each in seen.json()["sections"]}


async def test_a_type_is_booked_and_its_room_is_bound_at_once(open_house: Open) -> None:
    house: House = await open_house(**hotel())
    made = [await house.booked(group="double-sea", **nights(0, 2)) for _ in range(DOUBLES)]
    assert {each["resource_ids"][0] for each in made} == {*house.ids("d0", "d1", "d2")}
    assert {(each["group"], each["chosen_by"]) for each in made} == {("double-sea", "house")}
    refused(await house.book(group="double-sea", **nights(1, 1)), 409, "ROOM_NOT_AVAILABLE")
    await house.booked(group="single", party_size=1, **nights(1, 1))


async def test_it_is_refused_in_plain_words(open_house: Open) -> None:
    house: House = await open_house(**hotel())
    problem = refused(await house.book(group="suite", **nights(0, 1)), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["field"] == "group"
    assert "double-sea, single" in problem["detail"]
    refused(await house.book(group="single", party_size=2, **nights(0, 1)), 400, "PARTY_TOO_LARGE")
    both = await house.book(group="single", resource_ids=house.ids("s0"), party_size=1, **nights(0, 1))
    assert (
        "only one of resource_ids, group and preferences" in refused(both, 400, "INVALID_REQUEST")["detail"]
    )


@pytest.mark.parametrize("when", ["on_the_day", "at_check_in"])
async def test_a_promise_is_kept_however_the_rooms_are_scattered(
    open_house: Open, owner: asyncpg.Connection, when: str
) -> None:
    house: House = await open_house(**hotel(bind_group=when))
    early = [await house.booked(group="double-sea", **nights(0, 2)) for _ in range(DOUBLES)]
    late = [await house.booked(group="double-sea", **nights(2, 2)) for _ in range(DOUBLES)]
    assert all(each["resource_ids"] == [] for each in (*early, *late))
    # One night is free in each of two rooms, but not in the same one.
    on = {each["id"]: (await claims(owner, each))[0][0] for each in (*early, *late)}
    first = early[0]
    other = next(each for each in late if on[each["id"]] != on[first["id"]])
    await cancel(house, first)
    await cancel(house, other)
    long = await house.booked(group="double-sea", **nights(0, 4))
    assert long["resource_ids"] == []
    assert len(await claims(owner, long)) == 1
    refused(await house.book(group="double-sea", **nights(1, 2)), 409, "ROOM_NOT_AVAILABLE")


async def test_what_can_be_promised_is_shown(open_house: Open, owner: asyncpg.Connection) -> None:
    """Two rooms are free in one night each; together they have room for both nights."""
    house: House = await open_house(**hotel(bind_group="at_check_in"))
    early = [await house.booked(group="double-sea", **nights(0, 1)) for _ in range(DOUBLES)]
    late = [await house.booked(group="double-sea", **nights(1, 1)) for _ in range(DOUBLES)]
    on = {each["id"]: (await claims(owner, each))[0][0] for each in (*early, *late)}
    await cancel(house, early[0])
    await cancel(house, next(each for each in late if on[each["id"]] != on[early[0]["id"]]))
    body = {"venue_id": house.venue_id, "group": "double-sea", "party_size": 2, **nights(0, 2)}
    seen = (await house.client.post("/bookings/availability/check", json=body)).json()
    params = {"date": str(DAY), "group": "double-sea", "duration_minutes": 44 * 60}
    path = f"/venues/{house.venue_id}/availability/day"
    shown = (await house.client.get(path, params=params)).json()["starts"]
    assert (seen["available"], seen["suggested_slots"]) == (True, [])
    assert [each["resource_ids"] for each in seen["options"]] == [[]], "nobody can have it by name"
    assert [each["resource_ids"] for each in shown if each["start"] == at("15:00")] == [[]]
    asked = {"month": str(DAY)[:7], "group": "double-sea", "duration_minutes": 44 * 60}
    month = await house.client.get(path.replace("/day", "/month"), params=asked)
    assert str(DAY) in month.json()["days"]
    await house.booked(group="double-sea", **nights(0, 2))
    seen = (await house.client.post("/bookings/availability/check", json=body)).json()
    shown = (await house.client.get(path, params=params)).json()["starts"]
    assert not seen["available"]
    assert at("15:00") not in {each["start"] for each in shown}


async def test_check_in_gives_a_room(open_house: Open, owner: asyncpg.Connection) -> None:
    house: House = await open_house(**hotel(bind_group="at_check_in"))
    booking = await house.booked(group="double-sea", **nights(0, 2))
    booking = (await move(house, booking, "CONFIRMED")).json()
    assert booking["resource_ids"] == []
    [(room, *_)] = await claims(owner, booking)
    there = (await move(house, booking, "CHECKED_IN")).json()
    assert there["resource_ids"] == [room]
    kinds = await owner.fetch("SELECT owner_kind FROM claim WHERE owner_id = $1", there["id"])
    assert [row["owner_kind"] for row in kinds] == ["booking"]


async def test_a_tick_gives_rooms_on_the_day(
    open_house: Open, owner: asyncpg.Connection, db: Database
) -> None:
    house: House = await open_house(**hotel(bind_group="on_the_day"))
    today = await house.booked(group="double-sea", **nights(0, 2))
    later = await house.booked(group="double-sea", **nights(1, 2))
    tenant = await tenant_id(owner, house)
    assert await tick(db, tenant, bind.bind_due, now=instant("00:00") - timedelta(minutes=1)) == 0
    assert await tick(db, tenant, bind.bind_due, now=instant("00:00")) == 1
    bound = await read(house, today)
    assert (len(bound["resource_ids"]), bound["version"]) == (1, 2)
    assert [each["action"] for each in await history(house, bound)] == ["create", "bind"]
    assert await tick(db, tenant, bind.bind_due, now=instant("00:00")) == 0
    assert (await read(house, later))["resource_ids"] == []
    assert (await change(house, bound, party_size=1)).json()["resource_ids"] == bound["resource_ids"]


async def test_who_has_a_room_keeps_it(open_house: Open, owner: asyncpg.Connection) -> None:
    house: House = await open_house(**hotel(bind_group="at_check_in"))
    named = [await house.booked(resource_ids=house.ids(f"d{n}"), **nights(n, 2)) for n in range(DOUBLES)]
    first = await house.booked(group="double-sea", **nights(2, 1))
    assert first["resource_ids"] == []
    for each in named:
        assert [room for room, *_ in await claims(owner, each)] == each["resource_ids"]
    # In the night of day 2 two rooms are named, and the third is promised.
    refused(await house.book(group="double-sea", **nights(2, 1)), 409, "ROOM_NOT_AVAILABLE")


async def test_a_block_moves_promises_out_of_its_way(open_house: Open, owner: asyncpg.Connection) -> None:
    house: House = await open_house(**hotel(bind_group="at_check_in"))
    promised = [await house.booked(group="double-sea", **nights(0, 1)) for _ in range(DOUBLES - 1)]
    on = [(await claims(owner, each))[0][0] for each in promised]
    slug = next(slug for slug, id_ in house.resources.items() if id_ == on[0])
    assert (await states(house))[slug] == "confirmed"
    made = await block(house, slug, start=at("12:00"), end=at("20:00"), on_conflict="refuse")
    assert made.status_code == 201, made.text
    assert {(await claims(owner, each))[0][0] for each in promised} == {*house.ids("d0", "d1", "d2")} - {
        on[0]
    }
    assert (await states(house))[slug] == "blocked"
    # Now the last free room is promised: another block would break that.
    other = next(each for each in ("d0", "d1", "d2") if each != slug)
    refused(
        await block(house, other, start=at("12:00"), end=at("20:00"), on_conflict="refuse"),
        409,
        "BLOCK_OVERLAPS_BOOKINGS",
    )
    refused(await house.book(group="double-sea", **nights(0, 1)), 409, "ROOM_NOT_AVAILABLE")
    assert (await remove(house, made.json())).status_code in (200, 204)
    await house.booked(group="double-sea", **nights(0, 1))


async def test_rooms_of_a_type_that_is_bound_late_are_alike(open_house: Open) -> None:
    house: House = await open_house(**hotel())
    different = house.document["resources"][0] | {"seats_max": 3}
    document = house.document | {"resources": [different, *house.document["resources"][1:]]}
    ok = await house.client.post("/venues/import", json=document, headers=house.alice)
    assert ok.status_code == 200
    late = document | {"policy": POLICY | {"bind_group": "at_check_in"}}
    answer = await house.client.post("/venues/import", json=late, headers=house.alice)
    fields = {each["field"] for each in refused(answer, 400, "INVALID_REQUEST")["errors"]}
    assert fields == {"resources.1.seats_max", "resources.2.seats_max"}


async def test_a_room_with_a_promise_keeps_its_type(open_house: Open, owner: asyncpg.Connection) -> None:
    house: House = await open_house(**hotel(bind_group="at_check_in"))
    booking = await house.booked(group="double-sea", **nights(0, 1))
    [(room, *_)] = await claims(owner, booking)

    async def retype() -> httpx.Response:
        body = {"group": "double-yard", "expected_version": 1}
        return await house.client.patch(f"/resources/{room}", json=body, headers=house.alice)

    assert "group" in refused(await retype(), 400, "INVALID_REQUEST")["detail"]
    await cancel(house, booking)
    assert (await retype()).status_code == 200


async def test_a_booking_moves_to_another_type_and_other_days(open_house: Open) -> None:
    house: House = await open_house(**hotel(bind_group="at_check_in"))
    booking = await house.booked(group="double-sea", party_size=1, **nights(0, 2))
    moved = (await change(house, booking, group="single")).json()
    assert (moved["group"], moved["resource_ids"]) == ("single", [])
    moved = (await change(house, moved, **nights(5, 1))).json()
    assert (moved["group"], moved["resource_ids"]) == ("single", [])
    named = (await change(house, moved, resource_ids=house.ids("d0"))).json()
    assert (named["group"], named["resource_ids"], named["chosen_by"]) == (None, house.ids("d0"), "guest")


async def test_a_hold_of_a_type_lapses_and_converts(open_house: Open, owner: asyncpg.Connection) -> None:
    house: House = await open_house(**hotel(bind_group="at_check_in"))
    held = [await house.booked(group="double-sea", hold=True, **nights(0, 1)) for _ in range(DOUBLES)]
    refused(await house.book(group="double-sea", **nights(0, 1)), 409, "ROOM_NOT_AVAILABLE")
    kept = (await move(house, held[0], "RESERVED")).json()
    assert (kept["status"], kept["resource_ids"]) == ("RESERVED", [])
    await owner.execute("UPDATE booking SET expires_at = now() - interval '1 s' WHERE id = $1", held[1]["id"])
    await owner.execute(
        "UPDATE claim SET expires_at = now() - interval '1 s' WHERE owner_id = $1", held[1]["id"]
    )
    await house.booked(group="double-sea", **nights(0, 1))
    assert (await read(house, held[1]))["status"] == "EXPIRED"


async def test_check_and_waitlist_take_a_type(open_house: Open) -> None:
    house: House = await open_house(**hotel())
    body = {"venue_id": house.venue_id, "group": "single", "party_size": 1, **nights(0, 1)}
    seen = (await house.client.post("/bookings/availability/check", json=body)).json()
    assert {each["resource_ids"][0] for each in seen["options"]} == {*house.ids("s0", "s1")}
    for _ in range(SINGLES):
        await house.booked(group="single", party_size=1, **nights(0, 1))
    seen = (await house.client.post("/bookings/availability/check", json=body)).json()
    assert not seen["available"]
    wanted = {
        "venue_id": house.venue_id,
        "group": "single",
        "party_size": 1,
        "earliest": at("15:00"),
        "latest": at("15:00"),
        "duration_minutes": 20 * 60,
    }
    entry = await house.client.post("/waitlist", json=wanted, headers=house.gina)
    assert entry.status_code == 201, entry.text
    assert entry.json()["preferences"]["group"] == "single"


async def test_extras_of_a_promised_type_are_added_to_its_nights(
    open_house: Open, owner: asyncpg.Connection
) -> None:
    sold = {
        "price_rules": [{"groups": ["double-sea"], "per": "hour", "amount": "5.00"}],
        "extras": [{"id": "cot", "name": "Cot", "amount": "10.00", "stock": 1}],
    }
    house: House = await open_house(**hotel(bind_group="at_check_in", **sold))
    made = await house.booked(group="double-sea", **nights(0, 1))
    held = await claims(owner, made)
    asked = await change(house, made, extras=[{"id": "cot"}])
    assert asked.status_code == 200, asked.text
    assert [(each["label"], each["amount"]) for each in asked.json()["price_lines"]] == [
        ("Hour", "100.00"),
        ("Cot", "10.00"),
    ]
    assert (asked.json()["resource_ids"], asked.json()["group"]) == ([], "double-sea")
    again = await change(house, asked.json(), party_size=1)
    assert (again.json()["total_price"], await claims(owner, made)) == ("110.00", held)
