"""Several processes on one database: it does not matter which of them somebody is connected to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from websockets.asyncio.client import connect as ws_connect

from holdfast.kernel.ids import new_id
from tests.booking.asking import at
from tests.conftest import House
from tests.event.writing import INSERT_MANY
from tests.live.conftest import bookings_channel, slot_channel, staff
from tests.live.reading import Frame, Reader, connect, opened, versions
from tests.live.test_slow import EVENT
from tests.processes import SOON_S, Running, running, serving

DISCONNECTS = 1_000
READERS = 20
SEED = random.SystemRandom().randrange(2**32)

TEN_THOUSAND = INSERT_MANY.format(count=10_000, tenant=new_id())


@dataclass
class Two:
    """Two servers, and a worker."""

    a: Running
    b: Running


@pytest.fixture(scope="module")
async def two(database_url: str, data_dir: Path) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        a, b = [await stack.enter_async_context(serving(database_url, data_dir)) for _ in range(2)]
        worker = running(
            "work", log=data_dir / "work.log", database_url=database_url, data_dir=data_dir, unsafe_database=1
        )
        await stack.enter_async_context(worker)
        yield Two(a, b)


def client_of(server: Running) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}/api/v1", trust_env=False, timeout=None)


async def channel_row(owner: asyncpg.Connection, house: House, name: str) -> tuple[Any, Any, str]:
    tenant = await owner.fetchval("SELECT tenant_id FROM venue WHERE id = $1", house.venue_id)
    return tenant, house.venue_id, name


async def test_a_change_through_one_arrives_at_the_other(two: Two, house: House) -> None:
    names = [bookings_channel(house), slot_channel(house)]
    bob = await opened(two.b.port, *names, token=staff(house))
    headers = {"authorization": f"Bearer {staff(house)}"}
    url = f"ws://127.0.0.1:{two.b.port}/api/v1/live/ws"
    async with (
        ws_connect(url, additional_headers=headers, proxy=None) as socket,
        client_of(two.a) as through_a,
    ):
        await socket.send(orjson.dumps({"op": "subscribe", "channels": names}).decode())
        assert orjson.loads(await asyncio.wait_for(socket.recv(), SOON_S))["op"] == "subscribed"
        house.client = through_a
        await house.booked(start=at("19:00"), resource_ids=house.ids("t1"))
        heard = [orjson.loads(await asyncio.wait_for(socket.recv(), SOON_S)) for _ in names]
    frames = await bob.take(2)
    assert [frame.event for frame in frames] == [each["type"] for each in heard]
    assert [frame.id for frame in frames] == [each["cursor"] for each in heard]
    bob.close()


async def test_what_the_worker_does_arrives_too(two: Two, house: House, owner: asyncpg.Connection) -> None:
    bob = await opened(two.b.port, bookings_channel(house), slot_channel(house), token=staff(house))
    held = await house.booked(start=at("19:00"), resource_ids=house.ids("t1"), hold=True)
    await bob.take(2)
    await owner.execute("UPDATE claim SET expires_at = now() WHERE owner_id = $1", held["id"])
    await owner.execute("UPDATE booking SET expires_at = now(), due_at = now() WHERE id = $1", held["id"])
    told = {frame.event: frame.data for frame in await bob.take(2)}
    assert told.keys() == {"booking.expired", "availability.updated"}
    bob.close()


async def test_a_server_that_is_killed_right_after_commits_loses_nothing(
    two: Two, house: House, owner: asyncpg.Connection, database_url: str, data_dir: Path
) -> None:
    name, token = bookings_channel(house), staff(house)
    witness = await opened(two.b.port, name, token=token)
    async with serving(database_url, data_dir) as doomed, client_of(doomed) as through_it:
        cut_off = await opened(doomed.port, name, token=token)
        house.client = through_it
        booking = [
            asyncio.create_task(house.book(start=at(f"{10 + n}:00"), resource_ids=[id_], duration_minutes=30))
            for n in range(10)
            for id_ in house.ids("t1", "t2", "t3", "l1")
        ]
        done, _ = await asyncio.wait(booking, return_when=asyncio.FIRST_COMPLETED)
        await doomed.kill()
        await asyncio.wait(booking)
        assert any(task.exception() is None and task.result().status_code == 201 for task in done)
        for task in booking:
            task.cancelled() or task.exception()
    async with client_of(two.a) as house.client:
        await house.booked(start=at("21:00"), resource_ids=house.ids("s1"))  # after which nothing comes
    committed = await owner.fetchval(
        "SELECT version FROM channel WHERE venue_id = $1 AND name = 'bookings'", house.venue_id
    )
    assert committed > 1
    assert versions(await witness.take(committed)) == list(range(1, committed + 1))
    seen = await rest(cut_off)
    again = await connect(two.b.port, name, token=token, after=cut_off.cursor)
    seen += await again.take(committed - len(seen))
    assert versions(seen) == list(range(1, committed + 1))
    for each in (witness, again, cut_off):
        each.close()


async def rest(stream: Reader) -> list[Frame]:
    """What still comes of a stream that is cut off."""
    found: list[Frame] = []
    try:
        while (frame := await stream.next()) is not None:
            found.append(frame)
    except ConnectionResetError:
        pass
    return found


async def test_a_transaction_left_open_is_not_passed_over_while_ten_thousand_commit(
    two: Two, house: House, owner: asyncpg.Connection, database_url: str
) -> None:
    readers = [await opened(each.port, slot_channel(house)) for each in (two.a, two.b)]
    row = await channel_row(owner, house, slot_channel(house).split(":", 3)[3])
    others = await asyncpg.connect(database_url)
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute(EVENT, *row, 1)
    await others.execute(TEN_THOUSAND)
    await others.close()
    await readers[0].nothing(for_s=0.2)
    await transaction.commit()
    await owner.execute(EVENT, *row, 1)
    for reader in readers:
        assert versions(await reader.take(2)) == [1, 2]
        reader.close()


async def test_a_thousand_disconnects_miss_nothing(two: Two, house: House, owner: asyncpg.Connection) -> None:
    name = slot_channel(house)
    first = await opened(two.a.port, name)
    row = await channel_row(owner, house, name.split(":", 3)[3])
    stop = asyncio.Event()

    async def write() -> int:
        version = 0
        while not stop.is_set():
            await owner.execute(EVENT, *row, 1)
            version += 1
            await asyncio.sleep(0.002)
        return version

    async def read(number: int) -> tuple[int, int, str]:
        """What it came to, how often it was reset, and where it is then; by way of both servers."""
        rng = random.Random(f"{SEED}-{number}")
        seen, resets, cursor = 0, 0, str(first.cursor)
        for _ in range(DISCONNECTS // READERS):
            server = rng.choice((two.a, two.b))
            stream = await connect(server.port, name, after=cursor)
            for _ in range(rng.randrange(1, 12)):
                frame = await stream.next()
                assert frame is not None
                if frame.event == "reset":
                    seen, resets = frame.version, resets + 1
                elif frame.event is not None:
                    assert frame.version == seen + 1, f"seed {SEED}"
                    seen = frame.version
            stream.close()
            cursor = str(stream.cursor or cursor)
        return seen, resets, cursor

    writing = asyncio.create_task(write())
    try:
        found = await asyncio.gather(*map(read, range(READERS)))
    finally:
        stop.set()
        written = await writing
    assert written > READERS
    for seen, resets, cursor in found:
        # Both servers had read all of it from the beginning: there was no reason for a reset.
        assert resets == 0
        stream = await connect(two.b.port, name, after=cursor)
        assert versions(await stream.take(written - seen)) == list(range(seen + 1, written + 1))
        stream.close()
    first.close()
