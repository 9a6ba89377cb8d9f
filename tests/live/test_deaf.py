"""Connections whose other side is gone, or takes nothing: none stays, and none is an error of ours."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from contextlib import closing, suppress
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from holdfast.kernel.config import Settings
from holdfast.kernel.encode import encode
from holdfast.live import stream as streams
from holdfast.live.outlets import WS
from holdfast.live.stream import BACKLOG_BYTES_MAX, End
from holdfast.live.ws import Socket
from holdfast.main.process import serve
from tests.conftest import House
from tests.live.conftest import slot_channel
from tests.live.near import Near, ask_for_socket, ask_for_stream, near, subscribe
from tests.live.test_slow import EVENT, Stuck, stream_to
from tests.processes import until

PINGS_S = (0.5, 3, 15)
"""A slow machine may not even answer pings in time, or make the socket full before they go unanswered."""


async def seated(server: Near) -> None:
    """Its stream follows a channel, or is gone already."""

    async def one() -> bool:
        return any(server.hub.streams.values()) or not server.hub.streams

    await until(one)


async def fill(server: Near, owner: asyncpg.Connection, house: House) -> bool:
    """The sockets of both sides have all they can take; less than may wait does. False: it was gone before that."""
    row = await owner.fetchrow(
        "SELECT tenant_id, venue_id, name FROM channel WHERE venue_id = $1 AND name <> 'bookings'",
        house.venue_id,
    )
    for _ in range(200):
        if row is None or not server.hub.streams:
            return False
        if any(stream._outlet.paused for stream in server.hub.streams):
            return True
        await owner.execute(EVENT, *row, 100_000)
        await server.hub.tail.caught_up()
        await asyncio.sleep(0.01)
    raise AssertionError("it takes everything")


async def nothing_is_left(server: Near) -> None:
    async def nothing() -> bool:
        return not server.hub.streams and not server.left

    await until(nothing)


async def test_a_token_that_ends_ends_the_connection_of_one_that_reads_nothing(
    database_url: str,
    data_dir: Path,
    house: House,
    owner: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "STALLED_CLOSE_S", 0.2)
    async with near(database_url, data_dir) as server:
        with closing(server.deaf()) as sock:
            ask_for_stream(sock, slot_channel(house), house.mint(house.tenant, ["staff"], "bob", ttl_s=3600))
            assert (await asyncio.to_thread(sock.recv, 12)).endswith(b"200")
            await seated(server)
            assert await fill(server, owner, house)
            server.hub._beat._end_expired(time.time() + 3600)
            await nothing_is_left(server)


async def test_an_end_is_a_cut_when_it_is_not_taken_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STALLED_CLOSE_S", 0.01)
    cut: dict[End, bool] = {"token": True, "lost": True, "shutdown": True, "left": False}
    for why, is_cut in cut.items():
        outlet = Stuck()
        stream_to(outlet).end(why)
        assert not outlet.aborted
        await asyncio.sleep(0.05)  # a timer of the loop that was set before this one
        assert outlet.aborted is is_cut, why


async def test_who_does_not_answer_pings_is_gone_though_the_socket_is_full(
    database_url: str, data_dir: Path, house: House, owner: asyncpg.Connection
) -> None:
    for ping_s in PINGS_S:
        async with near(database_url, data_dir, ping_s=ping_s) as server:
            with closing(server.deaf()) as sock:
                ask_for_socket(sock)
                assert (await asyncio.to_thread(sock.recv, 12)).endswith(b"101")
                subscribe(sock, slot_channel(house))
                await seated(server)
                full = await fill(server, owner, house)
                await nothing_is_left(server)
                if full:
                    return
    raise AssertionError("it was gone before the socket was full")


async def test_a_websocket_is_pinged_and_who_answers_stays(database_url: str, data_dir: Path) -> None:
    config = serve.server_of(None, Settings()).config
    assert config.ws_ping_interval == config.ws_ping_timeout == serve.WS_PING_S == 15
    for ping_s in PINGS_S:
        async with near(database_url, data_dir, ping_s=ping_s) as server:
            with closing(server.deaf()) as sock, suppress(ConnectionClosed):
                await _pinged(server, sock)
                return
    raise AssertionError("who answered was cut off")


async def _pinged(server: Near, sock: socket.socket) -> None:
    """Who is deaf goes, who came before stays and is answered; raises ConnectionClosed when it does not."""
    url = f"ws://127.0.0.1:{server.port}/api/v1/live/ws"
    async with connect(url, proxy=None, ping_interval=None) as answering:
        ask_for_socket(sock)
        assert (await asyncio.to_thread(sock.recv, 12)).endswith(b"101")

        async def gone() -> bool:
            return len(server.hub.streams) < 2

        await until(gone)
        await answering.send('{"op": "ping"}')
        assert await answering.recv() == '{"op":"pong"}'
        assert len(server.hub.streams) == 1


async def test_who_is_gone_is_no_error(database_url: str, data_dir: Path) -> None:
    with capture_logs() as logs:
        async with near(database_url, data_dir) as server:
            with server.deaf() as sock:
                ask_for_socket(sock)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await nothing_is_left(server)
            url = f"ws://127.0.0.1:{server.port}/api/v1/live/ws"
            async with connect(url, proxy=None):
                for stream in server.hub.streams:
                    stream._cut_off()
                await nothing_is_left(server)
            async with connect(url, proxy=None):
                server.server.should_exit = True
                await nothing_is_left(server)
    assert [each for each in logs if each["log_level"] in ("warning", "error")] == []


async def test_what_was_missed_is_not_piled_up_for_one_that_reads_nothing() -> None:
    """Each `subscribe` may be answered with as much as may wait."""
    dropped: list[object] = []

    class Hub:
        drop = dropped.append

    outlet, socket_ = Stuck(), Socket(Hub(), None, expires_at=None)  # pyright: ignore[reportArgumentType]
    socket_._stream = stream_to(outlet, WS)
    socket_._send([b"x" * BACKLOG_BYTES_MAX])
    assert not dropped
    socket_._send([encode({"op": "pong"})])
    assert dropped == [socket_._stream]
