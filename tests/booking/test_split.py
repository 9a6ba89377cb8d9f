"""Split capacity: a resource of ten units takes ten bookings at a time, by the same constraint."""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg
from fastapi import FastAPI

from holdfast.booking.deciding.decide import decide
from holdfast.booking.deciding.known import Created, Known
from holdfast.booking.deciding.prepare import prepare
from holdfast.booking.wanted import Wanted, When
from holdfast.claim.model import Occupancy
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.ids import new_id
from holdfast.port.pricing import LocalPricing
from tests.conftest import House

from .asking import at, cancel, claims, instant, refused


async def units(owner: asyncpg.Connection, house: House) -> list[int]:
    rows = await owner.fetch(
        "SELECT unit FROM claim WHERE resource_id = $1 ORDER BY unit", house.resources["s1"]
    )
    return [row["unit"] for row in rows]


async def test_ten_winners_of_thirty_at_once(house: House, owner: asyncpg.Connection) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("s1")}
    answers = await asyncio.gather(*(house.book(**wanted) for _ in range(30)))
    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [409] * 20
    assert await units(owner, house) == list(range(1, 11))
    loser = next(answer.json() for answer in answers if answer.status_code == 409)
    assert loser["code"] == "SECTION_NOT_AVAILABLE"
    assert len(loser["conflicts"]) == 10


async def test_a_unit_is_used_again(house: House, owner: asyncpg.Connection) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("s1")}
    booked = [await house.booked(**wanted) for _ in range(10)]
    freed = (await claims(owner, booked[6]))[0][1]
    await cancel(house, booked[6])
    again = await house.booked(**wanted)
    assert (await claims(owner, again))[0][1] == freed
    refused(await house.book(**wanted), 409, "SECTION_NOT_AVAILABLE")


async def test_stays_of_different_lengths_share_the_units(house: House, owner: asyncpg.Connection) -> None:
    """Nine all evening; the tenth unit goes to one after the other."""
    s1 = house.ids("s1")
    for _ in range(9):
        await house.booked(start=at("17:00"), end=at("23:00"), resource_ids=s1)
    for clock in ("17:00", "18:00", "19:00"):
        await house.booked(start=at(clock), duration_minutes=60, resource_ids=s1)
    refused(
        await house.book(start=at("19:30"), duration_minutes=60, resource_ids=s1),
        409,
        "SECTION_NOT_AVAILABLE",
    )
    await house.booked(start=at("20:00"), duration_minutes=60, resource_ids=s1)
    assert sorted(await units(owner, house)) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10]


async def test_what_was_decided_counts_for_the_next_of_the_set(house: House, app: FastAPI) -> None:
    """Without asking the database, whose constraint would end the whole set."""
    venue = await app.state.engine.places.venue(UUID(house.venue_id))
    now = instant("12:00")
    known = Known(now=now, occupancy=Occupancy.of([], now=now))

    def decided(slug: str) -> list[int] | str:
        wanted = Wanted(
            id=new_id(),
            tenant_id=venue.tenant_id,
            venue_id=venue.id,
            actor=SYSTEM,
            when=When(start=instant("18:00")),
            party_size=2,
            resource_ids=(UUID(house.resources[slug]),),
        )
        outcome = decide(prepare(wanted, venue, now=now), known, LocalPricing())
        if isinstance(outcome, Created):
            return [claim.unit for claim in outcome.claims]
        return outcome.error.code

    assert [decided("t1"), decided("t1"), decided("t2")] == [[1], "TABLE_NOT_AVAILABLE", [1]]
    assert [decided("s1") for _ in range(11)] == [*([n] for n in range(1, 11)), "SECTION_NOT_AVAILABLE"]
