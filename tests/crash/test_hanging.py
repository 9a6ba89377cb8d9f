"""The database hangs: everybody is told so within two seconds, and nobody has to restart anything after."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.crowd import Answer, Crowd
from holdfast.kernel.embedded import Server
from holdfast.kernel.ids import new_id
from tests.booking.asking import at
from tests.conftest import House
from tests.crash.conftest import audited
from tests.processes import Running, children_of, send, status
from tests.wire import book, cancel, change, get, move, post, staff

pytestmark = pytest.mark.alone

ANSWER_MS_MAX = 2_000
WAVES = 5
WAVE_EVERY_S = 0.4


@asynccontextmanager
async def frozen(server: Server) -> AsyncIterator[None]:
    """For the block no process of the server does anything."""
    pids = [server.pid, *children_of(server.pid)]
    send(signal.SIGSTOP, *pids)
    try:
        yield
    finally:
        # Who was forked in between was not stopped; who is not stopped does not mind.
        send(signal.SIGCONT, *pids)


async def everything(house: House) -> list[bytes]:
    """One request of every kind that needs the database."""
    token = staff(house)
    booking = await house.booked(start=at("12:00"), resource_ids=house.ids("t00"))
    return [
        book(house, token=token, key=f"hang-{new_id()}", start=at("18:00")),
        book(house, token=token, start=at("18:00"), resource_ids=house.ids("t01")),
        change(booking, token=token, start=at("19:00")),
        cancel(booking, token=token),
        move(booking, "CHECKED_IN", token=token),
        post(
            "/bookings/availability/check",
            {"venue_id": house.venue_id, "start": at("18:00"), "party_size": 2},
            token=token,
        ),
        get(f"/bookings/{booking['id']}", token=token),
        get(f"/bookings/{booking['id']}/history", token=token),
        get(f"/bookings/reference/{booking['booking_reference']}", token=token),
        get(f"/bookings/venue/{house.venue_id}", token=token),
        get(f"/venues/{house.venue_id}", token=token),
        get("/venues", token=token),
    ]


def told_in_time(answers: list[Answer], usual: list[Answer]) -> None:
    """All were told when to come again, within two seconds and what the machine takes for a `usual` answer."""
    assert {each.status for each in answers} == {503}, Counter(each.status for each in answers)
    for each in answers:
        assert each.json()["code"] == "OVERLOADED"
        assert each.header("retry-after") == "1"
    slowest, slowest_usual = (max(each.ms for each in some) for some in (answers, usual))
    print("slowest 503, ms:", round(slowest), "slowest of the usual:", round(slowest_usual))
    assert slowest < ANSWER_MS_MAX + slowest_usual


async def test_everybody_is_told_in_time(
    busy_house: House, api: Running, clients: Crowd, harmed: Server, crash_url: str
) -> None:
    requests = await everything(busy_house)
    usual = await clients.ask(requests[5:])
    # Snapshots of venues are kept for two seconds, a reference for one: past that they must be asked for.
    await asyncio.sleep(2.1)
    waves: list[asyncio.Task[list[Answer]]] = []
    async with frozen(harmed):
        for number in range(WAVES):
            part = Crowd(clients.clients[number * len(requests) :])
            waves.append(asyncio.create_task(part.ask(requests)))
            await asyncio.sleep(WAVE_EVERY_S)
            assert await asyncio.to_thread(status, api.port, "/healthz", timeout_s=1) == 200
        answers = [answer for wave in waves for answer in await wave]
        assert await asyncio.to_thread(status, api.port, "/readyz", timeout_s=2) == 503
    told_in_time(answers, usual)

    # It goes on by itself, at once.
    again = await clients.ask(requests[:1])
    assert again[0].status == 201
    assert await asyncio.to_thread(status, api.port, "/readyz") == 200
    await audited(crash_url)
