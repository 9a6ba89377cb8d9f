"""One booking on several resources: all of them or none."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime
from itertools import combinations
from typing import Any

import asyncpg
import pytest

from tests.conftest import House

from .asking import at, cancel, change, claims, instant, refused


@pytest.fixture
async def alley(open_house: Any) -> House:
    """Six lanes."""
    lanes = [
        {"slug": f"l{n}", "name": f"L{n}", "kind": "lane", "seats_max": 8, "sort_order": n}
        for n in range(1, 7)
    ]
    return await open_house(resources=lanes)


async def test_three_lanes_are_one_booking(alley: House, owner: asyncpg.Connection) -> None:
    lanes = alley.ids("l1", "l2", "l3")
    booking = await alley.booked(start=at("18:00"), party_size=20, resource_ids=lanes)
    assert booking["resource_ids"] == lanes
    assert [claim[0] for claim in await claims(owner, booking)] == sorted(lanes)
    for lane in ("l1", "l2", "l3"):
        refused(await alley.book(start=at("18:00"), resource_ids=alley.ids(lane)), 409, "LANE_NOT_AVAILABLE")
    await cancel(alley, booking)
    assert await claims(owner, booking) == []


async def test_if_one_is_taken_none_is(alley: House, owner: asyncpg.Connection) -> None:
    await alley.booked(start=at("19:00"), resource_ids=alley.ids("l3"))
    wanted = {"start": at("18:00"), "party_size": 20, "resource_ids": alley.ids("l1", "l2", "l3")}
    body = refused(await alley.book(**wanted), 409, "LANE_NOT_AVAILABLE")
    assert [conflict["resource_name"] for conflict in body["conflicts"]] == ["L3"]
    assert (
        await owner.fetchval("SELECT count(*) FROM claim WHERE resource_id = ANY ($1)", alley.ids("l1", "l2"))
        == 0
    )
    await alley.booked(start=at("18:00"), resource_ids=alley.ids("l1"))


@pytest.mark.parametrize("seed", range(4))
async def test_groups_that_overlap_in_part_never_get_half(
    alley: House, owner: asyncpg.Connection, seed: int
) -> None:
    """Every three of six lanes at once, at times that overlap: whoever wins has all, whoever loses nothing."""
    rng = random.Random(seed)
    groups = [
        (at(rng.choice(["18:00", "18:30", "19:00"])), alley.ids(*lanes))
        for lanes in combinations([f"l{n}" for n in range(1, 7)], 3)
        for _ in range(2)
    ]
    rng.shuffle(groups)
    answers = await asyncio.gather(
        *(alley.book(start=start, party_size=18, resource_ids=lanes) for start, lanes in groups)
    )
    assert {answer.status_code for answer in answers} == {201, 409}, seed
    for answer, (_, lanes) in zip(answers, groups, strict=True):
        if answer.status_code == 201:
            booking = answer.json()
            assert sorted(claim[0] for claim in await claims(owner, booking)) == sorted(lanes)
    won = sum(answer.status_code == 201 for answer in answers)
    tenant_claims = await owner.fetchval(
        "SELECT count(*) FROM claim WHERE resource_id = ANY ($1)", list(alley.resources.values())
    )
    assert tenant_claims == 3 * won
    # Nothing that would still fit was turned away: the winners block every loser.
    taken = [
        (answer.json()["resource_ids"], answer.json()["start"])
        for answer in answers
        if answer.status_code == 201
    ]
    for answer, (start, lanes) in zip(answers, groups, strict=True):
        if answer.status_code == 409:
            overlaps = [set(lanes) & set(theirs) for theirs, other in taken if abs_minutes(start, other) < 90]
            assert any(overlaps), (seed, start)


def abs_minutes(a: str, b: str) -> float:
    return abs((datetime.fromisoformat(a) - datetime.fromisoformat(b)).total_seconds()) / 60


async def test_a_group_moves_as_one_or_not_at_all(alley: House, owner: asyncpg.Connection) -> None:
    lanes = alley.ids("l1", "l2", "l3")
    booking = await alley.booked(start=at("18:00"), party_size=20, resource_ids=lanes)
    await alley.booked(start=at("20:30"), resource_ids=alley.ids("l2"))
    before = await claims(owner, booking)
    refused(await change(alley, booking, start=at("20:00")), 409, "LANE_NOT_AVAILABLE")
    asked = {"start": at("20:00"), "resource_ids": alley.ids("l2", "l4", "l5")}
    refused(await change(alley, booking, **asked), 409, "LANE_NOT_AVAILABLE")
    assert await claims(owner, booking) == before
    moved = (await change(alley, booking, start=at("20:00"), resource_ids=alley.ids("l1", "l4", "l5"))).json()
    assert [claim[0] for claim in await claims(owner, moved)] == sorted(alley.ids("l1", "l4", "l5"))
    assert {claim[2] for claim in await claims(owner, moved)} == {instant("20:00")}


async def test_a_resource_named_twice_is_refused(alley: House) -> None:
    refused(await alley.book(start=at("18:00"), resource_ids=alley.ids("l1", "l1")), 400, "INVALID_REQUEST")


async def test_each_has_the_buffers_it_needs(alley: House, owner: asyncpg.Connection) -> None:
    lanes = [dict(each) for each in alley.document["resources"]]
    lanes[1]["buffer_after_minutes"] = 30
    await alley.replace({**alley.document, "resources": lanes})
    booking = await alley.booked(start=at("18:00"), party_size=10, resource_ids=alley.ids("l1", "l2"))
    ends = {claim[0]: claim[3] for claim in await claims(owner, booking)}
    assert ends == {alley.resources["l1"]: instant("19:30"), alley.resources["l2"]: instant("20:00")}
