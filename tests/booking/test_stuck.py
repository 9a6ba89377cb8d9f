"""Locks that somebody else holds for long delay nobody but those who want them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.config import Settings
from holdfast.kernel.db.database import lanes
from holdfast.kernel.db.tx import lock_key
from holdfast.main.http.app import create_app
from tests.conftest import House, open_house_at
from tests.processes import PATIENT_S, until

from .asking import at, cancel, change, move, read

POOL_MAX = 10
STUCK = POOL_MAX + 2
"""More than there are connections of any kind."""


@pytest.fixture(scope="module")
async def small(database_url: str, data_dir: Path) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    """An application with as many connections as it has by default."""
    app = create_app(
        Settings(
            database_url=database_url, data_dir=data_dir, pool_max=POOL_MAX, request_deadline_s=PATIENT_S
        )
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://holdfast.test/api/v1") as http,
    ):
        yield app, http


@asynccontextmanager
async def held(owner: asyncpg.Connection, houses: Sequence[House]) -> AsyncIterator[None]:
    """Somebody holds the locks of these venues."""
    keys = [lock_key(UUID(house.venue_id)) for house in houses]
    async with owner.transaction():
        await owner.execute("SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key", keys)
        yield


async def test_more_venues_are_stuck_than_there_are_connections(
    client: httpx.AsyncClient,
    small: tuple[FastAPI, httpx.AsyncClient],
    issuer: DevIssuer,
    owner: asyncpg.Connection,
) -> None:
    """They wait without a connection; others book, change, check in and look as ever."""
    app, impatient = small
    house, *stuck = [await open_house_at(client, issuer) for _ in range(1 + STUCK)]
    theirs = [await each.booked(start=at("12:00")) for each in stuck]
    for each in (house, *stuck):
        each.client = impatient
    asks = [
        ask
        for each, booking in zip(stuck, theirs, strict=True)
        for ask in (
            lambda each=each: each.book(start=at("18:00")),
            lambda each=each, booking=booking: cancel(each, booking),
            lambda each=each: each.client.post("/venues/import", json=each.document, headers=each.alice),
        )
    ]
    async with held(owner, stuck):
        wanting = [asyncio.create_task(ask()) for ask in asks]
        keys = [lock_key(UUID(each.venue_id)) for each in stuck]

        async def known() -> bool:
            return all(key in app.state.engine.db.late for key in keys)

        await until(known)
        wanting += [asyncio.create_task(ask()) for ask in asks]
        for clock in ("12:00", "15:00", "18:00"):
            booking = await house.booked(start=at(clock))
            assert (await change(house, booking, party_size=1)).status_code == 200
            booking = await read(house, booking)
            assert (await move(house, booking, "CONFIRMED")).status_code == 200
        waiting = "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        # Whoever tries a lock waits for 100 ms with its connection, and may be doing so right now; nobody stays.
        await until(lambda: owner.fetchval(waiting))
        assert all(key in app.state.engine.db.late for key in keys)
        assert not any(task.done() for task in wanting)
    statuses = Counter(each.status_code for each in await asyncio.gather(*wanting))
    # Each booked twice, and was cancelled twice at the same version: the second time, it was already done.
    assert statuses == {201: 2 * STUCK, 200: 4 * STUCK}


async def test_who_waits_for_a_lock_gets_it(
    small: tuple[FastAPI, httpx.AsyncClient], issuer: DevIssuer, owner: asyncpg.Connection
) -> None:
    """In the order in which they came, where that is one process."""
    app, client = small
    house = await open_house_at(client, issuer)
    names = [f"{n}" for n in range(5)]
    async with held(owner, [house]):
        wanted = {"start": at("18:00"), "resource_ids": house.ids("s1")}
        asked = [asyncio.create_task(house.book(**wanted, guest_name=name)) for name in names]

        async def known() -> bool:
            return lock_key(UUID(house.venue_id)) in app.state.engine.db.late

        await until(known)
    answers = await asyncio.gather(*asked)
    assert {each.status_code for each in answers} == {201}, [each.text for each in answers]
    stored = (
        "SELECT guest_name FROM booking AS b JOIN claim ON owner_id = b.id WHERE venue_id = $1 ORDER BY unit"
    )
    assert [row[0] for row in await owner.fetch(stored, house.venue_id)] == names


def test_lanes_leave_each_other_connections() -> None:
    for pool_max in range(4, 100):
        assert sum(lanes(pool_max).values()) < pool_max or pool_max < 5
    assert lanes(10) == {"sets": 2, "changes": 3, "reads": 4}
    assert set(lanes(1).values()) == {1}
