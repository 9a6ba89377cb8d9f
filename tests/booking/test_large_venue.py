"""A venue with more tables than one look takes in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
from fastapi import FastAPI

from holdfast.booking.wanted import SETS_FIRST
from tests.conftest import House

from .asking import at

TABLES = SETS_FIRST + 30


async def test_every_table_is_found_and_none_twice(open_house: Callable[..., Any]) -> None:
    tables = [{"slug": f"t{n:03}", "seats_max": 2, "sort_order": n} for n in range(TABLES)]
    house: House = await open_house(resources=tables)
    answers = await asyncio.gather(*(house.book(start=at("18:00")) for _ in range(TABLES + 10)))
    booked = [each.json()["resource_ids"][0] for each in answers if each.status_code == 201]
    assert sorted(booked) == sorted(house.resources.values())
    refused = [each for each in answers if each.status_code != 201]
    assert {(each.status_code, each.json()["code"]) for each in refused} == {(409, "TABLE_NOT_AVAILABLE")}
    assert all(len(each.json()["suggested_slots"]) == 3 for each in refused)


async def test_an_ipv4_address_is_the_same_one_written_as_ipv6(
    app: FastAPI, open_house: Callable[..., Any]
) -> None:
    house: House = await open_house(policy={"holds_per_ip_max": 1})
    statuses = []
    for guest, address in enumerate(
        ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "2001:db8::2", "not an address", "")
    ):
        transport = httpx.ASGITransport(app=app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test/api/v1") as caller:
            wanted = {"venue_id": house.venue_id, "party_size": 2, "start": at("18:00"), "hold": True}
            who = house.headers("guest", subject=f"guest-{guest}")
            statuses.append((await caller.post("/bookings", json=wanted, headers=who)).status_code)
    assert statuses == [201, 429, 201, 429, 201, 429]
