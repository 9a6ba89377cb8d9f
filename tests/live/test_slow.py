"""A reader that stalls harms nobody but itself."""

from __future__ import annotations

import asyncio
import re
import socket
import urllib.request
from typing import Any

import pytest
from fastapi import FastAPI

from holdfast.live import hub as hubs
from holdfast.live import stream as streams
from holdfast.live.hub import Hub
from holdfast.live.outlets import SSE, SSE_WIRE
from holdfast.live.stream import BACKLOG_BYTES_MAX, Outbox, Stream
from tests.booking.asking import at
from tests.conftest import House
from tests.live.asgi import asked, opening
from tests.live.conftest import slot_channel
from tests.live.reading import opened, versions
from tests.processes import SOON_S, Running, until

EVENT = """
    WITH counted AS (
        UPDATE channel SET version = version + 1 WHERE tenant_id = $1 AND venue_id = $2 AND name = $3
        RETURNING epoch, version
    ), written AS (
        INSERT INTO event (tenant_id, id, event_type, venue_id, subject_id, payload, actor, created_at, channel,
                           epoch, version)
        SELECT $1, gen_random_uuid(), 'booking.created', $2, $2, jsonb_build_object('x', repeat('x', $4)), 'system',
               now(), $3, epoch, version FROM counted
        RETURNING tenant_id, id
    )
    INSERT INTO event_new (tenant_id, event_id) SELECT tenant_id, id FROM written
"""


async def metric(api: Running, name: str) -> float:
    def read() -> str:
        return urllib.request.urlopen(f"http://127.0.0.1:{api.port}/metrics", timeout=SOON_S).read().decode()

    found = re.search(rf"^{re.escape(name)} ([\d.e+]+)", await asyncio.to_thread(read), re.MULTILINE)
    return float(found[1]) if found else 0.0


async def test_one_that_reads_nothing_is_cut_off_and_the_others_do_not_notice(
    api: Running, house: House, owner: Any
) -> None:
    streams_open = 'holdfast_live_streams{transport="sse"}'

    async def nobody_is_here() -> bool:
        return await metric(api, streams_open) == 0

    await until(nobody_is_here)  # of the tests before
    name = slot_channel(house)
    swift = await opened(api.port, name)
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", api.port))
        stalled.sendall(f"GET /api/v1/live?channel={name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert stalled.recv(12) == b"HTTP/1.1 200"
        await house.booked(start=at("19:00"), resource_ids=house.ids("s1"))
        assert versions(await swift.take(1)) == [1]
        row = await owner.fetchrow(
            "SELECT tenant_id, venue_id, name FROM channel WHERE venue_id = $1 AND name <> 'bookings'",
            house.venue_id,
        )
        dropped = await metric(api, "holdfast_live_drops_total")
        # What the sockets of both sides take, and then what may be waiting.
        for n in range(2, 130):
            await owner.execute(EVENT, *row, 100_000)
            assert versions(await swift.take(1)) == [n]
            if n % 20 == 0 and await metric(api, "holdfast_live_drops_total") > dropped:
                break
        assert await metric(api, "holdfast_live_drops_total") == dropped + 1
        assert await metric(api, streams_open) == 2

        async def gone() -> bool:
            return await metric(api, streams_open) == 1

        await until(gone)
    swift.close()


# --- one stream alone -------------------------------------------------------------------------


class Stuck:
    """An outlet that takes nothing until it is told to."""

    def __init__(self) -> None:
        self.paused = True
        self.written: list[bytes] = []
        self.aborted = False

    def write(self, parts: list[bytes]) -> None:
        self.written += parts

    def abort(self) -> None:
        self.aborted = True


def stream_to(outlet: Any, packing: Any = SSE) -> Stream:
    return Stream(outlet, Outbox(), packing=packing, expires_at=None)


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STALLED_CLOSE_S", 0.05)
    outlet = Stuck()
    stream = stream_to(outlet)
    told = 0
    while stream.send([b"x" * 1_000]):
        told += 1_000
    assert told == BACKLOG_BYTES_MAX
    stream.drop([b"reset"])
    assert not outlet.written
    assert await asyncio.wait_for(stream.ended, SOON_S) == "slow"
    assert outlet.aborted
    assert not outlet.written


async def test_who_reads_on_gets_the_reset_and_nothing_of_what_was_dropped() -> None:
    outlet = Stuck()
    stream = stream_to(outlet, SSE_WIRE)
    stream.send([b"x" * 2_000_000])
    stream.drop([b"reset"])
    await turn()
    outlet.paused = False
    stream.flush()
    assert outlet.written == [b"5\r\nreset\r\n"]
    assert await stream.ended == "slow"


async def test_much_at_once_is_no_fault_of_the_reader() -> None:
    outlet = Stuck()
    outlet.paused = False
    stream = stream_to(outlet)
    assert stream.send([b"x" * 3_000_000])
    assert outlet.written


async def test_streams_take_turns_with_everything_else() -> None:
    outbox, outlet = Outbox(), Stuck()
    outlet.paused = False
    many = [Stream(outlet, outbox, packing=SSE, expires_at=None) for _ in range(streams.WRITES_AT_ONCE + 1)]
    for each in many:
        each.send([b"x"])
    await asyncio.sleep(0)
    assert len(outlet.written) == streams.WRITES_AT_ONCE
    await asyncio.sleep(0)
    assert len(outlet.written) == streams.WRITES_AT_ONCE + 1


async def test_under_other_servers_too(
    app: FastAPI, house: House, owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "BACKLOG_BYTES_MAX", 20_000)
    monkeypatch.setattr(streams, "STALLED_CLOSE_S", 0.2)
    hub: Hub = app.state.hub
    async with asked(app, slot_channel(house)) as gina:
        await opening(gina)
        await house.booked(start=at("19:00"), resource_ids=house.ids("s1"))
        await gina.take(1)
        row = await owner.fetchrow(
            "SELECT tenant_id, venue_id, name FROM channel WHERE venue_id = $1 AND name <> 'bookings'",
            house.venue_id,
        )
        gina.stuck.clear()
        for _ in range(30):
            await owner.execute(EVENT, *row, 1_000)
            await hub.tail.caught_up()

        async def gone() -> bool:
            return not hub.streams

        await until(gone)


async def test_no_more_streams_than_are_allowed(
    app: FastAPI, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub: Hub = app.state.hub
    monkeypatch.setattr(hub, "streams_max", 1)
    async with asked(app, slot_channel(house)) as first:
        await opening(first)
        async with asked(app, slot_channel(house)) as second:
            assert second.status == 503
            assert second.headers["retry-after"] == str(hubs.FULL_RETRY_S)
            assert (await second.body())["code"] == "OVERLOADED"
