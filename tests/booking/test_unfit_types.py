"""Bookings of a type that a change of the resources leaves without a place are listed, and keep their promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from tests.conftest import House

from .asking import at, cancel, claims, move, refused
from .changing import Json, edited, replaced, unfit

Open = Callable[..., Any]
POLICY = {"default_duration_minutes": 20 * 60, "slot_step_minutes": 60, "bind_group": "at_check_in"}


def rooms(many: int, **more: Any) -> list[Json]:
    return [{"slug": f"d{n}", "kind": "room", "group": "double", "seats_max": 2, **more} for n in range(many)]


@pytest.fixture
async def inn(open_house: Open) -> House:
    return await open_house(resources=rooms(3), hours={}, policy=POLICY)


def nights(first: int, many: int) -> Json:
    return {"start": at("15:00", first), "end": at("11:00", first + many)}


async def promised(house: House, first: int, many: int) -> str:
    made = await house.booked(group="double", **nights(first, many))
    assert made["resource_ids"] == []
    return made["booking_reference"]


def without(house: House, *slugs: str) -> list[Json]:
    """The resources, of which these are out of use."""
    return [
        each | ({"active": False} if each["slug"] in slugs else {}) for each in house.document["resources"]
    ]


async def test_promises_that_are_too_many_at_an_instant_are_listed(inn: House) -> None:
    named = await inn.booked(resource_ids=inn.ids("d0"), **nights(0, 2))
    both = [await promised(inn, 0, 1), await promised(inn, 0, 3)]
    later = [await promised(inn, 2, 1)]
    assert later
    found = await unfit(inn, resources=without(inn, "d2"))
    assert found == dict.fromkeys(both, "ROOM_NOT_AVAILABLE")
    assert named["booking_reference"] not in found


async def test_what_still_has_room_is_not_listed(inn: House) -> None:
    for first in (0, 1, 2):
        await promised(inn, first, 1)
    assert await unfit(inn, resources=without(inn, "d1", "d2")) == {}
    assert (
        await unfit(
            inn, resources=edited(inn, "d0", name="Sea view"), policy={**POLICY, "bind_group": "at_once"}
        )
        == {}
    )


async def test_longer_buffers_leave_fewer_for_the_promises(inn: House) -> None:
    await unfit(inn, resources=without(inn, "d1", "d2"))
    inn.document = inn.document | {"resources": without(inn, "d1", "d2")}
    after = [await promised(inn, 0, 1), await promised(inn, 1, 1)]
    longer = [each | {"buffer_after_minutes": 300} for each in inn.document["resources"]]
    assert await unfit(inn, resources=longer) == dict.fromkeys(after, "ROOM_NOT_AVAILABLE")


async def test_a_type_that_is_out_of_use_or_seats_fewer(inn: House) -> None:
    visit = await promised(inn, 0, 1)
    assert await unfit(inn, resources=without(inn, "d0", "d1", "d2")) == {visit: "ROOM_NOT_AVAILABLE"}
    assert await unfit(inn) == {}
    small = [each | {"seats_max": 1} for each in inn.document["resources"]]
    assert await unfit(inn, resources=small) == {visit: "PARTY_TOO_LARGE"}


async def test_hours_of_the_type_count(inn: House) -> None:
    visit = await promised(inn, 0, 1)
    mornings = {
        "weekly": [{"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": "08:00", "close": "12:00"}]
    }
    changed = [each | {"hours": mornings} for each in inn.document["resources"]]
    assert await unfit(inn, resources=changed) == {visit: "OUTSIDE_OPENING_HOURS"}


async def test_a_group_that_is_removed_while_promised_is_refused_and_foreseen(inn: House) -> None:
    visit = await promised(inn, 0, 1)
    document = inn.document | {"resources": [each | {"group": "suite"} for each in inn.document["resources"]]}
    dry = await replaced(inn, document, dry_run=True)
    listed = {each["booking_reference"]: each["reason"] for each in dry["bookings_that_no_longer_fit"]}
    assert listed == {visit: "ROOM_NOT_AVAILABLE"}
    assert {each["field"] for each in dry["problems"]} == {"group"}
    real = await inn.client.post("/venues/import", json=document, headers=inn.alice)
    assert (real.status_code, real.json()["errors"]) == (400, dry["problems"])


async def test_a_room_that_is_of_another_type_now(open_house: Open) -> None:
    house: House = await open_house(resources=rooms(2), hours={}, policy=POLICY | {"bind_group": "at_once"})
    typed = await house.booked(group="double", **nights(0, 1))
    await house.booked(resource_ids=house.ids("d1"), **nights(0, 1))
    changed = [each | {"group": "suite"} for each in house.document["resources"]]
    assert await unfit(house, resources=changed) == {typed["booking_reference"]: "ROOM_NOT_AVAILABLE"}


async def rooms_of(owner: asyncpg.Connection, house: House, *stays: Json) -> list[str]:
    """The room that each promise is on now."""
    slugs = {id_: slug for slug, id_ in house.resources.items()}
    return [slugs[str((await claims(owner, each))[0][0])] for each in stays]


async def test_promises_leave_a_room_that_is_out_of_use(inn: House, owner: asyncpg.Connection) -> None:
    long, short = [await inn.booked(group="double", **nights(0, many)) for many in (2, 1)]
    closed = (await rooms_of(owner, inn, long))[0]
    assert await unfit(inn, resources=without(inn, closed)) == {}
    now = await rooms_of(owner, inn, long, short)
    assert {*now, closed} == {"d0", "d1", "d2"}
    refused(await inn.book(group="double", **nights(0, 1)), 409, "ROOM_NOT_AVAILABLE")
    here = (await move(inn, long, "CHECKED_IN")).json()
    assert here["resource_ids"] == inn.ids(now[0])


async def test_where_not_all_find_room_each_that_does_moves(
    open_house: Open, owner: asyncpg.Connection
) -> None:
    house: House = await open_house(resources=rooms(2), hours={}, policy=POLICY)
    named = await house.booked(resource_ids=house.ids("d0"), **nights(1, 1))
    moves = await house.booked(group="double", **nights(1, 1))
    await cancel(house, named)
    stay = [await house.booked(group="double", **nights(0, 1)) for _ in range(2)]
    before = await rooms_of(owner, house, moves, *stay)
    assert before[0] == "d1"
    found = await unfit(house, resources=without(house, "d1"))
    assert found == dict.fromkeys([each["booking_reference"] for each in stay], "ROOM_NOT_AVAILABLE")
    assert await rooms_of(owner, house, moves, *stay) == ["d0", *before[1:]]
