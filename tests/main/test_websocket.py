"""The WebSocket with bounds: what is taken, what ends it, and that nobody waits for it."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.main.http.connection import Connection
from holdfast.main.http.websocket import FRAGMENTS_MAX, PINGS_BURST_MAX, BoundedWebSocket
from holdfast.main.process.serve import WS_BYTES_MAX
from tests.main.edge import Dialled, Served, served, so
from tests.raw import UPGRADE, frame, get, post

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


async def upgraded(server: Served) -> Dialled:
    client = await server.dial()
    client.send(UPGRADE)
    assert (await client.answer()).status == 101
    return client


async def heard(client: Dialled) -> tuple[int, bytes]:
    """The next frame: opcode and data."""
    first, length = await asyncio.wait_for(client.reader.readexactly(2), 60)
    if length == 126:
        length = int.from_bytes(await client.reader.readexactly(2), "big")
    return first & 0x0F, await client.reader.readexactly(length)


def in_fragments(data: bytes, size: int) -> bytes:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    last = len(parts) - 1
    return b"".join(frame(TEXT if n == 0 else CONT, part, is_last=n == last) for n, part in enumerate(parts))


async def test_messages_of_all_sizes_in_pieces_of_all_sizes() -> None:
    sizes = [0, 1, 125, 126, 5_000, 70_000, WS_BYTES_MAX]
    sent = b"".join(frame(BINARY, b"x" * size) for size in sizes)
    async with served() as server:
        for step in (7, 1_024, len(sent)):
            client = await upgraded(server)
            for at in range(0, len(sent) if step > 7 else 6_000, step):
                client.send(sent[at : at + step])
                await asyncio.sleep(0)
            expected = sizes if step > 7 else sizes[:5]
            assert [int((await heard(client))[1]) for _ in expected] == expected
            client.close()


async def test_a_message_may_come_in_fragments_with_pings_between() -> None:
    async with served() as server:
        client = await upgraded(server)
        fragments = in_fragments(b"x" * FRAGMENTS_MAX, 1)
        client.send(fragments[:70], frame(PING, b"?"), fragments[70:])
        assert await heard(client) == (PONG, b"?")
        assert await heard(client) == (TEXT, b"%d" % FRAGMENTS_MAX)


ENDED = {
    "fragments": (frame(TEXT, b"x", is_last=False) + frame(CONT, b"x", is_last=False) * 400_000, 1008),
    "empty fragments": (frame(TEXT, b"", is_last=False) + frame(CONT, b"", is_last=False) * 400_000, 1008),
    "pings": (frame(PING, b"x") * 300_000, 1008),
    "pongs": (frame(PONG, b"x" * 125) * 300_000, 1008),
    "a frame that is too long": (frame(BINARY, b"x" * (WS_BYTES_MAX + 1)), 1009),
    "a message that is too long": (in_fragments(b"x" * (WS_BYTES_MAX + 10), WS_BYTES_MAX // 10), 1009),
    "not masked": (b"\x81\x01x", 1002),
    "an unknown opcode": (b"\x83\x80\0\0\0\0", 1002),
    "a reserved bit": (b"\xc1\x80\0\0\0\0", 1002),
    "a ping that is too long": (frame(PING, b"x" * 126), 1002),
    "a fragment of nothing": (frame(CONT, b"x"), 1002),
    "no UTF-8": (frame(TEXT, b"\xff\xfe"), 1007),
    "a surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "a close without a reason": (frame(CLOSE, b"x"), 1002),
}


@pytest.mark.parametrize("name", ENDED)
async def test_what_ends_it(name: str) -> None:
    sent, code = ENDED[name]
    async with served() as server:
        client = await upgraded(server)
        client.send(sent)
        opcode, data = await heard(client)
        while opcode == PONG:
            opcode, data = await heard(client)
        assert (opcode, int.from_bytes(data[:2], "big")) == (CLOSE, code)
        assert await client.rest() == b""
        assert server.app.asked == []


async def test_usual_pings_are_answered() -> None:
    async with served() as server:
        client = await upgraded(server)
        for n in range(PINGS_BURST_MAX):
            client.send(frame(PING, b"%d" % n))
        assert [await heard(client) for _ in range(PINGS_BURST_MAX)] == [
            (PONG, b"%d" % n) for n in range(PINGS_BURST_MAX)
        ]


async def test_messages_that_nobody_takes_wait_unread() -> None:
    async with served() as server:
        server.app.open.clear()
        client = await upgraded(server)
        client.send(frame(TEXT, b"") * 100_000)
        [connection] = server.server.server_state.connections
        assert isinstance(connection, BoundedWebSocket)
        await so(lambda: connection.read_paused and len(connection._received) > 0)
        assert connection.queue.qsize() < 200
        assert len(connection._received) <= 256 * 1024
        server.app.open.set()
        assert {await heard(client) for _ in range(2_000)} == {(TEXT, b"0")}


async def test_a_flood_lets_others_have_their_turn() -> None:
    """Others are answered between the pieces of one read, however much that one holds."""
    async with served() as server:
        flood, other = await upgraded(server), await server.dial()
        [connection] = [
            each for each in server.server.server_state.connections if isinstance(each, BoundedWebSocket)
        ]
        connection.data_received(in_fragments(b"x" * 200_000, 4_000))
        waiting = len(connection._received)
        other.send(get("/"))
        assert (await other.answer()).status == 200
        assert 0 < len(connection._received) < waiting
        flood.close()


async def test_a_close_behind_unread_messages_ends_it() -> None:
    async with served() as server:
        client = await upgraded(server)
        client.send(frame(TEXT, b"x") * 300, frame(CLOSE, b"\x03\xe8"))
        while (await heard(client))[0] != CLOSE:
            continue
        assert await client.rest() == b""


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (UPGRADE.replace(b"Version: 13", b"Version: 12"), 400),
        (UPGRADE.replace(b"Sec-WebSocket-Key", b"X-Key"), 400),
        (UPGRADE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"), 400),
        (UPGRADE[:-2] + b"X: " + b"y" * 10_000 + b"\r\n\r\n", 431),
    ],
)
async def test_a_bad_handshake_is_answered(request_: bytes, status: int) -> None:
    async with served() as server:
        client = await server.dial()
        client.send(request_)
        assert (await client.answer()).status == status
        assert await client.rest() == b""


async def test_a_handshake_behind_a_request_that_is_being_answered_waits_for_it() -> None:
    async with served() as server:
        server.app.open.clear()
        client = await server.dial()
        client.send(get("/1"), UPGRADE)
        await so(lambda: server.app.asked == ["/1"])
        server.app.open.set()
        assert (await client.answer()).said["path"] == "/1"
        assert (await client.answer()).status == 101
        client.send(frame(TEXT, b"abc"))
        assert await heard(client) == (TEXT, b"3")


async def test_it_counts_for_its_address() -> None:
    async with served(connections_per_address_max=2) as server:
        first, _second = await upgraded(server), await upgraded(server)
        assert (await (await server.dial()).answer()).status == 429
        first.close()
        await so(lambda: server.connections == 1)
        await upgraded(server)


@pytest.mark.parametrize("body", [b"", b"a", b"a" * 200])
async def test_a_handshake_behind_a_body_waits_for_the_answer(body: bytes) -> None:
    async with served() as server:
        client = await server.dial()
        client.send(post("/1", body), UPGRADE)
        assert (await client.answer()).said["path"] == "/1"
        assert (await client.answer()).status == 101
        client.send(frame(TEXT, b"abc"))
        assert await heard(client) == (TEXT, b"3")


async def test_what_is_sent_with_the_handshake_is_dropped_and_the_rest_is_read() -> None:
    async with served() as server:
        client = await server.dial()
        client.send(UPGRADE, frame(TEXT, b"\r\n\r\n"))
        assert (await client.answer()).status == 101
        client.send(frame(TEXT, b"abc"))
        assert await heard(client) == (TEXT, b"3")


async def test_errors_before_the_handshake_is_complete_end_it() -> None:
    async with served() as server:
        server.app.open.clear()
        client = await server.dial()
        client.send(UPGRADE)
        await so(lambda: server.connections == 1)
        client.send(frame(PING, b"x" * 120) * 500)
        await client.rest()
        await so(lambda: server.connections == 0)


async def test_an_error_before_a_close_frame_ends_it() -> None:
    async with served() as server:
        client = await upgraded(server)
        client.send(frame(TEXT, b"\xff\xfe") + frame(CLOSE, b"\x03\xe8"))
        await client.rest()
        await so(lambda: server.connections == 0)


async def test_a_client_that_left_a_full_connection_does_not_stop_the_server_from_stopping() -> None:
    async with served() as server:
        client = await upgraded(server)
        client.read_little()
        client.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
        [connection] = server.server.server_state.connections
        connection.transport.write(b"\x82\x00" * 2_000_000)
        client.send(frame(CLOSE, b"\x03\xe8"))
        await so(lambda: connection.transport.is_closing())
        connection.shutdown()
        connection.transport.abort()


async def test_a_stream_whose_client_left_before_it_began_learns_it() -> None:
    lost = asyncio.Event()
    wire = Connection(None)
    wire.gone()
    wire.lost = lost.set
    await asyncio.wait_for(lost.wait(), 60)
