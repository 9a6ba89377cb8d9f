"""Everybody wants something of the same evening: what there is goes, none of it twice, no group by half."""

from __future__ import annotations

from collections import Counter
from typing import Any

import asyncpg

from bench.crowd import Answer, Crowd
from tests.booking.asking import at, instant
from tests.conftest import House
from tests.wire import book, staff

ROUNDS = 3
CLAIMED = """
    SELECT owner_id::text AS booking, resource_id::text AS resource, unit
      FROM claim WHERE resource_id = ANY ($1::text[]::uuid[]) AND during && tstzrange($2, $3)
"""


async def claimed(owner: asyncpg.Connection, house: House, day: int) -> list[tuple[str, str, int]]:
    """Booking, resource and unit of everything that is taken that day."""
    rows = await owner.fetch(
        CLAIMED, list(house.resources.values()), instant("10:00", day), instant("23:00", day)
    )
    return [(row["booking"], row["resource"], row["unit"]) for row in rows]


def winners(answers: list[Answer]) -> list[dict[str, Any]]:
    """The bookings made; everybody else was refused because it is taken."""
    assert {each.status for each in answers} <= {201, 409}, Counter(each.status for each in answers)
    assert all(each.json()["code"].endswith("_NOT_AVAILABLE") for each in answers if each.status == 409)
    return [each.json() for each in answers if each.status == 201]


def lanes(count: int) -> list[dict[str, Any]]:
    return [{"slug": f"l{n:02}", "name": f"L{n}", "kind": "lane", "seats_max": 6} for n in range(count)]


async def test_a_section_of_ten_goes_to_ten(
    house: House, everybody: Crowd, owner: asyncpg.Connection
) -> None:
    token, section = staff(house), house.resources["s1"]
    for day in range(ROUNDS):
        wanted = {"start": at("19:00", day), "resource_ids": [section]}
        won = winners(await everybody.ask([book(house, token=token, **wanted) for _ in everybody.clients]))
        assert len(won) == 10
        taken = await claimed(owner, house, day)
        assert sorted(unit for _, _, unit in taken) == list(range(1, 11))
        assert {booking for booking, _, _ in taken} == {each["id"] for each in won}


async def test_three_lanes_or_none(open_house: Any, everybody: Crowd, owner: asyncpg.Connection) -> None:
    house: House = await open_house(resources=lanes(18))
    token, ids = staff(house), [house.resources[slug] for slug in sorted(house.resources)]
    groups = [ids[first : first + 3] for first in range(16)]
    for day in range(ROUNDS):
        # 1-2-3, 2-3-4, 3-4-5 ... four times over, and each time in another order.
        asked = [groups[(5 * n + 3 * day) % 16] for n in range(len(everybody.clients))]
        # Backwards too, so that nobody can rely on the order in which lanes are named.
        asked = [group[::-1] if n % 2 else group for n, group in enumerate(asked)]
        start = at("19:00", day)
        answers = await everybody.ask(
            [book(house, token=token, start=start, party_size=12, resource_ids=group) for group in asked]
        )
        won = winners(answers)
        booked = [lane for each in won for lane in each["resource_ids"]]
        assert len(booked) == len(set(booked)) == 3 * len(won)
        # Nobody was refused three free lanes.
        for group, answer in zip(asked, answers, strict=True):
            assert answer.status == 201 or set(group) & set(booked)
        taken = await claimed(owner, house, day)
        assert sorted((booking, lane) for booking, lane, _ in taken) == sorted(
            (each["id"], lane) for each in won for lane in each["resource_ids"]
        )


async def test_the_best_fit_leaves_nothing_free(
    open_house: Any, everybody: Crowd, owner: asyncpg.Connection
) -> None:
    tables = [
        {"slug": f"t{n:02}", "name": f"T{n}", "kind": "table", "seats_max": 2 if n < 12 else 4}
        for n in range(20)
    ]
    house: House = await open_house(resources=tables)
    token = staff(house)
    for day in range(ROUNDS):
        # Eight of the 64 need a table for four; no more than that many others may have got one before.
        sizes = [4 if n % 8 == day else 2 for n in range(len(everybody.clients))]
        answers = await everybody.ask(
            [book(house, token=token, start=at("19:00", day), party_size=size) for size in sizes]
        )
        won = winners(answers)
        assert len(won) == len(tables)
        taken = [table for _, table, _ in await claimed(owner, house, day)]
        assert sorted(taken) == sorted(house.resources.values())
        assert sorted(taken) == sorted(table for each in won for table in each["resource_ids"])
        large = {house.resources[f"t{n:02}"] for n in range(12, 20)}
        assert all(large.issuperset(each["resource_ids"]) for each in won if each["party_size"] == 4)


async def test_a_split_party_gets_all_of_a_combination_or_none(
    open_house: Any, everybody: Crowd, owner: asyncpg.Connection
) -> None:
    tables = [
        {"slug": f"t{n:02}", "name": f"T{n}", "kind": "table", "seats_max": 4, "adjacent": [f"t{n + 1:02}"]}
        for n in range(9)
    ]
    house: House = await open_house(
        resources=[*tables, {**tables[0], "slug": "t09", "name": "T9", "adjacent": []}]
    )
    token = staff(house)
    for day in range(ROUNDS):
        answers = await everybody.ask(
            [book(house, token=token, start=at("19:00", day), party_size=8) for _ in everybody.clients]
        )
        won = winners(answers)
        taken = [table for _, table, _ in await claimed(owner, house, day)]
        assert len(taken) == len(set(taken)) == 2 * len(won)
        assert sorted(taken) == sorted(table for each in won for table in each["resource_ids"])
        free = [n for n in range(10) if house.resources[f"t{n:02}"] not in taken]
        assert won
        assert not any(n + 1 in free for n in free), "two tables side by side were left"
