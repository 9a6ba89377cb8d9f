"""The API dies after the commit and before the answer: whoever asks again with the same key gets the booking."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import httpx

from bench.crowd import Answer, crowd
from holdfast.kernel.ids import new_id
from tests.booking.asking import at
from tests.conftest import House
from tests.crash.conftest import audited
from tests.processes import PATIENT_S, Running, serving
from tests.wire import book, staff

CLIENTS = 64
TRIES_MAX = 15
KEPT = "SELECT key, subject_id::text AS booking, body FROM idempotency WHERE key = ANY ($1)"


COMMITTED = "SELECT count(*) FROM idempotency WHERE key = ANY ($1)"


async def _killed(api: Running, requests: list[bytes], *, at_answer: int) -> list[Answer]:
    """What came back. Bookings are committed in sets: one answer says that others are under way."""
    left = at_answer

    def kill(_answer: Answer) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            api.process.kill()

    async with crowd([api.port], len(requests)) as clients:
        answers = await clients.ask(requests, answered=kill)
    await asyncio.to_thread(api.process.wait)
    return answers


async def _killed_at_commit(
    api: Running, requests: list[bytes], owner: asyncpg.Connection, keys: list[str], *, commits: int
) -> list[Answer]:
    """What came back. The process is killed as soon as the database shows so many of the bookings: whoever
    looks there learns of a commit about when the process itself does."""

    async def kill() -> None:
        while await owner.fetchval(COMMITTED, keys) < commits:
            pass
        api.process.kill()

    async with crowd([api.port], len(requests)) as clients:
        killer = asyncio.create_task(kill())
        answers = await clients.ask(requests)
        await asyncio.wait_for(killer, PATIENT_S)
    await asyncio.to_thread(api.process.wait)
    return answers


async def test_a_retry_gets_the_booking(
    busy_house: House, api: Running, crash_url: str, data_dir: Path
) -> None:
    token, owner = staff(busy_house), await asyncpg.connect(crash_url)
    committed_unheard = 0
    for day in range(TRIES_MAX):
        keys = [f"lost-{new_id()}" for _ in range(CLIENTS)]
        # 20 tables, three sittings: there is one for nearly everybody, and for a booking made twice too.
        starts = [at(("12:00", "15:00", "18:00")[n % 3], day) for n in range(CLIENTS)]
        requests = [
            book(busy_house, token=token, key=key, start=start)
            for key, start in zip(keys, starts, strict=True)
        ]
        async with serving(crash_url, data_dir) as victim:
            heard = await _killed_at_commit(victim, requests, owner, keys, commits=1 + 4 * day)
        unheard = [key for key, answer in zip(keys, heard, strict=True) if answer.status == 0]
        kept = {row["key"]: row for row in await owner.fetch(KEPT, keys)}
        committed_unheard += len(kept.keys() & unheard)

        async with crowd([api.port], CLIENTS) as clients:
            again = await clients.ask(requests)
        for key, first, answer in zip(keys, heard, again, strict=True):
            if answer.status == 409:
                assert key not in kept
                continue
            assert answer.status == 201, answer
            if first.status == 201:
                assert answer.body == first.body
            if key in kept:
                assert answer.json()["id"] == kept[key]["booking"]
                assert answer.body.decode() == kept[key]["body"]
        for key, answer in zip(keys, again, strict=True):
            count = await owner.fetchval("SELECT count(*) FROM booking WHERE idempotency_key = $1", key)
            assert count == (answer.status == 201)
        if committed_unheard:
            break
    await owner.close()
    print("committed, but not answered before the kill:", committed_unheard, "in try", day + 1)
    assert committed_unheard
    await audited(crash_url)


async def test_an_answer_that_came_is_not_forgotten(
    house: House, client: httpx.AsyncClient, crash_url: str, data_dir: Path
) -> None:
    """One request at a time: killed right after its answer, the booking is there for the next process."""
    token = staff(house)
    async with serving(crash_url, data_dir) as victim:
        request = book(house, token=token, key=f"last-{new_id()}", start=at("19:00"))
        booked = (await _killed(victim, [request], at_answer=1))[0]
    assert booked.status == 201
    found = await client.get(f"/bookings/{booked.json()['id']}", headers=house.bob)
    assert found.json() == booked.json()
