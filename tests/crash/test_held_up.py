"""Something holds bookings up for long: those who want it are told in time, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from bench.crowd import Answer, Crowd, crowd
from holdfast.kernel.db.tx import REQUEST_DEADLINE_S, lock_key
from tests.booking.asking import at
from tests.conftest import House
from tests.crash.test_hanging import everything, told_in_time
from tests.processes import Running, serving, status
from tests.wire import book, cancel, change, move, staff

pytestmark = pytest.mark.alone

OTHERS = 8
MOMENT_MS = 500
SECONDS = 2.5
WAVE_EVERY_S = 0.3


@asynccontextmanager
async def held(url: str, statement: str, *args: Any) -> AsyncIterator[None]:
    """For the block another session has done that in a transaction, and goes on with nothing."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(statement, *args)
            yield
    finally:
        await connection.close()


async def _bookings(house: House, clients: Crowd, *, day: int) -> list[Answer]:
    """Booking after booking, each client its own tables, until the time is over."""
    token, until = staff(house), asyncio.get_running_loop().time() + SECONDS

    async def one(number: int) -> list[Answer]:
        answers: list[Answer] = []
        while asyncio.get_running_loop().time() < until:
            table = house.ids(f"t{number:02}")
            made = len(answers)
            start = at(f"{10 + made % 8}:00", day + made // 8)
            request = book(house, token=token, start=start, duration_minutes=60, resource_ids=table)
            answers.append(await clients.clients[number].ask(request))
            await asyncio.sleep(0.02)
        return answers

    return [each for many in await asyncio.gather(*map(one, range(OTHERS))) for each in many]


def _as_quick(before: list[Answer], during: list[Answer]) -> None:
    """All were booked, and nobody waited for a lock: longer than a moment only where it took long before too."""
    assert {each.status for each in before + during} == {201}, [
        each for each in before + during if each.status != 201
    ]
    slowest_before, slowest = (max(each.ms for each in answers) for answers in (before, during))
    print("other venue, slowest before and during, ms:", round(slowest_before), round(slowest))
    assert slowest < max(MOMENT_MS, 4 * slowest_before)


async def test_a_venue_whose_lock_is_held(
    open_house: Callable[..., Any], busy_house: House, api: Running, clients: Crowd, crash_url: str
) -> None:
    """Its own bookings are refused in time; those of another venue are as quick as they were."""
    stuck: House = await open_house()
    token = staff(stuck)
    booking = await stuck.booked(start=at("12:00"), resource_ids=stuck.ids("t1"))
    before = await _bookings(busy_house, clients, day=1)
    asked = [
        *(book(stuck, token=token, start=at("18:00")) for _ in range(4)),
        change(booking, token=token, start=at("19:00")),
        cancel(booking, token=token),
        move(booking, "CHECKED_IN", token=token),
    ]
    async with held(crash_url, "SELECT pg_advisory_xact_lock($1)", lock_key(UUID(stuck.venue_id))):
        others = asyncio.create_task(_bookings(busy_house, clients, day=100))
        waves = []
        async with crowd([api.port], 16 * len(asked)) as stuck_ones:
            for number in range(7):
                part = Crowd(stuck_ones.clients[number * len(asked) :])
                waves.append(asyncio.create_task(part.ask(asked)))
                await asyncio.sleep(WAVE_EVERY_S)
            refused = [answer for wave in waves for answer in await wave]
        during = await others
    told_in_time(refused, before)
    _as_quick(before, during)
    # Nothing was done behind anybody's back.
    owner = await asyncpg.connect(crash_url)
    stored = await owner.fetch(
        "SELECT id::text, status, version FROM booking WHERE venue_id = $1", stuck.venue_id
    )
    assert [tuple(row) for row in stored] == [(booking["id"], "RESERVED", 1)]
    await owner.close()
    again = await clients.ask(asked[:4])
    assert {each.status for each in again} == {201}


async def test_many_venues_whose_locks_are_held(
    open_house: Callable[..., Any], busy_house: House, api: Running, clients: Crowd, crash_url: str
) -> None:
    """However many are stuck, connections are left for the others."""
    stuck = [await open_house() for _ in range(12)]
    keys = [lock_key(UUID(house.venue_id)) for house in stuck]
    bookings = [await house.booked(start=at("12:00"), resource_ids=house.ids("t1")) for house in stuck]
    asked = [
        request
        for house, booking in zip(stuck, bookings, strict=True)
        for token in [staff(house)]
        for request in (book(house, token=token, start=at("18:00")), cancel(booking, token=token))
    ]
    before = await _bookings(busy_house, clients, day=1)
    async with held(crash_url, "SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key", keys):
        others = asyncio.create_task(_bookings(busy_house, clients, day=100))
        waves = []
        async with crowd([api.port], 6 * len(asked)) as stuck_ones:
            for number in range(6):
                part = Crowd(stuck_ones.clients[number * len(asked) :])
                waves.append(asyncio.create_task(part.ask(asked)))
                await asyncio.sleep(2 * WAVE_EVERY_S)
            refused = [answer for wave in waves for answer in await wave]
        during = await others
    told_in_time(refused, before)
    _as_quick(before, during)


@pytest.mark.parametrize("pool_max", [1, pytest.param(2, marks=pytest.mark.soak)])
async def test_a_pool_that_is_exhausted(
    busy_house: House, crash_url: str, data_dir: Path, pool_max: int
) -> None:
    requests = await everything(busy_house)
    settings = {"pool_max": pool_max, "request_deadline_s": REQUEST_DEADLINE_S}
    async with serving(crash_url, data_dir, **settings) as small, crowd([small.port], 64) as clients:
        # The process has seen the venue before it gets slow, as it would have.
        warm = await clients.ask(requests[5:])
        assert {each.status for each in warm} == {200}
        await asyncio.sleep(2.1)  # what it keeps is too old by now to be answered with
        # What reads bookings, venues or the ledger waits.
        async with held(crash_url, "LOCK TABLE booking, claim, venue, tenant IN ACCESS EXCLUSIVE MODE"):
            waves = []
            for number in range(5):
                part = Crowd(clients.clients[number * len(requests) :])
                waves.append(asyncio.create_task(part.ask(requests)))
                await asyncio.sleep(WAVE_EVERY_S)
                assert await asyncio.to_thread(status, small.port, "/healthz", timeout_s=1) == 200
            answers = [answer for wave in waves for answer in await wave]
            # Nobody holds the probe's connection.
            assert await asyncio.to_thread(status, small.port, "/readyz", timeout_s=2) == 200
        told_in_time(answers, warm)
        again = await clients.ask(requests[:1])
        assert again[0].status == 201
