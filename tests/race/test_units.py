"""Units are scattered, and everybody wants one at once: as many get one as counting allows."""

from __future__ import annotations

import random
from typing import Any

import asyncpg

from bench.crowd import Crowd
from tests.booking.asking import at, cancel
from tests.conftest import House
from tests.race.test_places import winners
from tests.wire import book, staff

ROUNDS = 3
UNITS = 8
CLOCKS = ["17:00", "17:30", "18:00", "18:30", "19:00", "19:30", "20:00", "20:30", "21:00"]
UNITS_OF = "SELECT unit FROM claim WHERE owner_id = ANY ($1::text[]::uuid[])"


async def open_floor(open_house: Any) -> House:
    floor = {"slug": "floor", "name": "Floor", "kind": "section", "seats_max": 6, "units": UNITS}
    return await open_house(resources=[floor])


async def scatter(house: House, day: int) -> list[dict[str, Any]]:
    """18-19 is taken on three units, 19-20 on three others: two are free for both hours."""

    async def some(start: str, end: str) -> list[dict[str, Any]]:
        wanted = {"start": at(start, day), "end": at(end, day), "resource_ids": house.ids("floor")}
        return [await house.booked(**wanted) for _ in range(3)]

    whole, later = await some("18:00", "20:00"), await some("19:00", "20:00")
    for each in whole:
        assert (await cancel(house, each)).status_code == 200
    return [*await some("18:00", "19:00"), *later]


async def test_as_many_win_as_fit(open_house: Any, everybody: Crowd, owner: asyncpg.Connection) -> None:
    house = await open_floor(open_house)
    token = staff(house)
    for day in range(ROUNDS):
        halves = [each["id"] for each in await scatter(house, day)]
        assert len({row["unit"] for row in await owner.fetch(UNITS_OF, halves)}) == 6
        wanted = {"start": at("18:00", day), "end": at("20:00", day), "resource_ids": house.ids("floor")}
        won = winners(await everybody.ask([book(house, token=token, **wanted) for _ in everybody.clients]))
        assert len(won) == UNITS - 3
        assert len({row["unit"] for row in await owner.fetch(UNITS_OF, halves)}) == 3


async def test_nobody_is_refused_who_fits(open_house: Any, everybody: Crowd) -> None:
    house = await open_floor(open_house)
    token, dice = staff(house), random.Random(7)
    for day in range(ROUNDS):
        asked = [sorted(dice.sample(range(len(CLOCKS)), 2)) for _ in everybody.clients]
        requests = [
            book(
                house,
                token=token,
                start=at(CLOCKS[start], day),
                end=at(CLOCKS[end], day),
                resource_ids=house.ids("floor"),
            )
            for start, end in asked
        ]
        answers = await everybody.ask(requests)
        won = [span for span, each in zip(asked, answers, strict=True) if each.status == 201]
        assert len(winners(answers)) == len(won)
        taken = [sum(start <= n < end for start, end in won) for n in range(len(CLOCKS))]
        assert max(taken) == UNITS
        for (start, end), answer in zip(asked, answers, strict=True):
            assert answer.status == 201 or max(taken[start:end]) == UNITS


async def test_courts_and_halls_exclude_each_other(open_house: Any, everybody: Crowd) -> None:
    """Everybody wants a court, the half or the hall, all at once: no court is booked twice, and none is left over
    that somebody was refused."""
    leaves = {"a": {"a"}, "b": {"b"}, "c": {"c"}, "half": {"a", "b"}, "hall": {"a", "b", "c"}}
    house = await open_house(
        resources=[
            *({"slug": slug, "kind": "facility"} for slug in "abc"),
            {"slug": "half", "kind": "facility", "parts": ["a", "b"]},
            {"slug": "hall", "kind": "facility", "parts": ["half", "c"]},
        ]
    )
    token, dice = staff(house), random.Random(11)
    for day in range(ROUNDS):
        asked = [dice.choice(sorted(leaves)) for _ in everybody.clients]
        wanted = {"start": at("18:00", day), "end": at("20:00", day)}
        requests = [book(house, token=token, resource_ids=house.ids(slug), **wanted) for slug in asked]
        answers = await everybody.ask(requests)
        won = [slug for slug, each in zip(asked, answers, strict=True) if each.status == 201]
        taken = [leaf for slug in won for leaf in leaves[slug]]
        assert len(winners(answers)) == len(won)
        assert len(taken) == len(set(taken)), won
        assert all(leaves[slug] & set(taken) for slug in asked)


async def test_no_stool_is_sold_twice(open_house: Any, everybody: Crowd, owner: asyncpg.Connection) -> None:
    counter = {"slug": "counter", "kind": "seat", "units": 20, "takes": "guests", "seats_max": 5}
    house = await open_house(resources=[counter])
    token, dice = staff(house), random.Random(13)
    for day in range(ROUNDS):
        asked = [dice.randrange(1, 6) for _ in everybody.clients]
        wanted = {"start": at("18:00", day), "end": at("20:00", day), "resource_ids": house.ids("counter")}
        answers = await everybody.ask([book(house, token=token, party_size=size, **wanted) for size in asked])
        sold = sum(size for size, each in zip(asked, answers, strict=True) if each.status == 201)
        ids = [each["id"] for each in winners(answers)]
        assert len(await owner.fetch(UNITS_OF, ids)) == sold <= 20
        refused = [size for size, each in zip(asked, answers, strict=True) if each.status == 409]
        assert all(sold + size > 20 for size in refused)
