"""HTTP/1.1 with bounds: what is taken, what is refused and how, whatever pieces it comes in."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from holdfast.main.http import protocol, transport
from holdfast.main.http.protocol import BODY_BYTES_MAX, HEAD_BYTES_MAX, HEADERS_MAX, BoundedProtocol
from tests.main.edge import Served, served, so
from tests.raw import UPGRADE, chunked, get, post

KIB = 1024
LONG = "x" * HEAD_BYTES_MAX
OFFER = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
"""What curl and Java's client send with their first request; it is declined by ignoring it."""


# Honest clients


async def test_pieces_do_not_matter() -> None:
    """Requests of all kinds in a row, cut at random: the answers are those of the same requests one by one."""
    requests = [
        (get("/1"), ("GET", "/1", 0)),
        (post("/2", b"a" * 10), ("POST", "/2", 10)),
        (post("/3", b"\r\n\r\n" * 300), ("POST", "/3", 1200)),
        (
            chunked("/4", [b"b" * 70, b"\r\n\r\nGET /no HTTP/1.1\r\n\r\n"], trailers=["X-Late: 1"]),
            ("POST", "/4", 94),
        ),
        (get("/5", *(f"X-{n}: {n}" for n in range(80))), ("GET", "/5", 0)),
        (post("/6", b"c" * 20_000), ("POST", "/6", 20_000)),
        (get("/7", "X-Long: " + "y" * 31_000), ("GET", "/7", 0)),
        (post("/8", b""), ("POST", "/8", 0)),
        (post("/9", get("/no"), *OFFER), ("POST", "/9", len(get("/no")))),
        (chunked("/10", [b"d" * 9, get("/no")], headers=OFFER), ("POST", "/10", 9 + len(get("/no")))),
        (get("/11", *OFFER), ("GET", "/11", 0)),
    ]
    async with served() as server:
        for seed in range(40):
            chosen = random.Random(seed)
            order = chosen.choices(requests, k=12)
            data, client = b"".join(request for request, _ in order), await server.dial()
            while data:
                size = chosen.choice([1, 2, 3, 40, 500, 5_000, 70_000])
                client.send(data[:size])
                data = data[size:]
                await asyncio.sleep(0)
            told = [(await client.answer()).said for _ in order]
            assert [(each["method"], each["path"], each["body"]) for each in told] == [
                expected for _, expected in order
            ], f"seed {seed}"
            client.close()


async def test_trailers_are_not_headers() -> None:
    async with served() as server:
        client = await server.dial()
        client.send(chunked("/", [b"abc"], trailers=["Authorization: Bearer x", "X-Late: 1"]), get("/next"))
        assert (await client.answer()).said["headers"] == ["transfer-encoding"]
        assert (await client.answer()).said["path"] == "/next"


async def test_a_body_is_asked_for_with_100_continue() -> None:
    async with served() as server:
        client = await server.dial()
        client.send(post("/", b"12345", "Expect: 100-continue")[:-5])
        assert (await client.answer()).status == 100
        assert server.app.asked == []
        client.send(b"12345")
        assert (await client.answer()).said["body"] == 5


async def test_one_that_offers_another_protocol_is_answered_in_this_one() -> None:
    async with served() as server:
        client = await server.dial()
        client.send(get("/1", *OFFER), get("/2"))
        assert [(await client.answer()).said["path"] for _ in range(2)] == ["/1", "/2"]


@pytest.mark.parametrize("size", [1, 11, 1_000])
async def test_the_body_behind_an_offer_is_no_request(size: int) -> None:
    data = post("/1", get("/smuggled"), *OFFER) + get("/2")
    async with served() as server:
        client = await server.dial()
        for at_byte in range(0, len(data), size):
            client.send(data[at_byte : at_byte + size])
            await asyncio.sleep(0)
        first = (await client.answer()).said
        assert (first["path"], first["body"]) == ("/1", len(get("/smuggled")))
        assert "upgrade" not in first["headers"]
        assert (await client.answer()).said["path"] == "/2"
        assert server.app.asked == ["/1", "/2"]


async def test_no_100_continue_in_http_1_0() -> None:
    async with served() as server:
        client = await server.dial()
        client.send(post("/", b"12345", "Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0")[:-5])
        await asyncio.sleep(0)
        client.send(b"12345")
        answer = await client.answer()
        assert (answer.status, answer.said["body"]) == (200, 5)


async def test_space_behind_a_length_is_none_of_it() -> None:
    """RFC 9112, 5.1."""
    async with served() as server:
        client = await server.dial()
        client.send(post("/", b"12345").replace(b"Length: 5", b"Length: 5 \t"))
        assert (await client.answer()).said["body"] == 5


async def test_the_largest_that_is_taken() -> None:
    async with served() as server:
        client = await server.dial()
        spare = len(get("/", "X: "))
        client.send(get("/", "X: " + "y" * (HEAD_BYTES_MAX - spare)))
        assert (await client.answer()).status == 200
        client.send(get("/", *["A: b"] * (HEADERS_MAX - 1)))
        assert len((await client.answer()).said["headers"]) == HEADERS_MAX
        client.send(post("/", b"z" * BODY_BYTES_MAX))
        assert (await client.answer()).said["body"] == BODY_BYTES_MAX


# Refused

TOO_LARGE = {
    "a header that does not end": b"GET / HTTP/1.1\r\nX: " + b"y" * 5_000_000,
    "a name that does not end": b"GET / HTTP/1.1\r\n" + b"y" * 5_000_000,
    "a URL that does not end": b"GET /" + b"y" * 5_000_000,
    "a URL": get("/" + LONG),
    "a header": get("/", "X: " + LONG),
    "one byte": get("/", "X: " + "y" * (HEAD_BYTES_MAX - len(get("/", "X: ")) + 1)),
    "headers without end": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1_000_000,
    "one header too many": get("/", *["A: b"] * HEADERS_MAX),
    "trailers": chunked("/", [b"abc"], trailers=["X: y"] * 10_000),
    "trailers without end": chunked("/", [b"abc"])[:-2] + b"X: y\r\n" * 1_000_000,
    "extensions of chunks": chunked("/", [b"abc"], extension=";" + LONG),
    "extensions without end": chunked("/", [b"abc"])[:-20] + b";" + b"y" * 5_000_000,
    "chunks of one byte": chunked("/", [b"a"] * 30_000),
    "empty lines": b"\r\n" * 3_000_000,
    "one behind an empty line, as long as a body": b"\r\n\r\n"
    + post("/", b"", "X: " + LONG, "Y: y").replace(b": 0", b": 200000"),
    "a request for a WebSocket": UPGRADE[:-2] + b"X: " + LONG.encode() + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", TOO_LARGE)
@pytest.mark.parametrize("before", [0, 2], ids=["first", "third"])
async def test_too_large(name: str, before: int) -> None:
    """431, without a body, and closed; whoever sends on can read it all the same."""
    async with served() as server:
        client = await server.dial()
        client.send(get("/fine") * before)
        for _ in range(before):
            assert (await client.answer()).said["path"] == "/fine"
        client.send(TOO_LARGE[name])
        assert (await client.rest()).startswith(b"HTTP/1.1 431 ")
        assert server.app.asked == ["/fine"] * before


MALFORMED = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "nothing known": b"HELLO\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\n\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n",
    "both lengths": post("/", b"", "Transfer-Encoding: chunked"),
    "two lengths": post("/", b"a", "Content-Length: 2"),
    "a negative length": b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "400 digits": b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 400 + b"\r\n\r\n",
    "a tunnel": b"CONNECT /x HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tunnel with a body": b"CONNECT /x HTTP/1.1\r\nContent-Length: 22\r\n\r\n" + get("/no"),
    "a WebSocket with a body": UPGRADE[:-2] + b"Content-Length: 5\r\n\r\nhello",
    "a WebSocket with chunks": UPGRADE[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk without length": chunked("/", [])[:-5] + b"zz\r\n",
    "a chunk of 400 digits": chunked("/", [])[:-5] + b"f" * 400 + b"\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed(name: str) -> None:
    async with served() as server:
        client = await server.dial()
        client.send(MALFORMED[name])
        refused = await client.answer()
        assert (refused.status, refused.said["code"]) == (400, "INVALID_REQUEST")
        assert (await client.rest(), server.app.asked) == (b"", [])


FIRST = {
    "a body": post("/1", b"a"),
    "no body": get("/1"),
    "chunks": chunked("/1", [b"a" * 200, b"\r\n\r\n"]),
    "trailers": chunked("/1", [b"a"], trailers=["X-Late: 1"]),
}
THEN = {
    "rubbish": (b"HELLO", 400),
    "a head that is too large": (get("/2", "X: " + LONG), 431),
    "a head without end": (b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000, 431),
}


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_a_refusal_never_takes_the_place_of_an_answer(first: str, then: str, size: int) -> None:
    """However the two are cut: a booking that was made is not called malformed."""
    bad, status = THEN[then]
    data = FIRST[first] + bad
    async with served() as server:
        client = await server.dial()
        for at_byte in range(0, len(data), size if len(data) < 1_000 else 100_000):
            client.send(data[at_byte : at_byte + size] if len(data) < 1_000 else data)
            await asyncio.sleep(0)
        assert (await client.answer()).said["path"] == "/1"
        client.send(b"\r\n\r\n")
        assert (await client.answer()).status == status
        assert server.app.asked == ["/1"]


@pytest.mark.parametrize("body", [b"", b"5\r\nhello\r\n0\r\n\r\n"], ids=["no body", "chunks"])
async def test_another_length_is_not_that_of_the_body(body: bytes) -> None:
    """One read, in which some header has the length of all that comes after the head."""
    rest = body + b"HELLO\r\n\r\n"
    framing = ["Transfer-Encoding: chunked"] if body else []
    async with served() as server:
        client = await server.dial()
        client.send(get("/1", *framing, f"X-Length: {len(rest)}") + rest)
        assert (await client.answer()).said["body"] == (5 if body else 0)
        assert (await client.answer()).status == 400
        assert server.app.asked == ["/1"]


async def test_what_was_asked_before_is_answered_first() -> None:
    """A refusal waits for the answer that comes before it."""
    async with served() as server:
        server.app.open.clear()
        client = await server.dial()
        client.send(post("/1", b"a"))
        await so(lambda: server.app.asked == ["/1"])
        client.send(b"HELLO\r\n\r\n")
        [connection] = server.server.server_state.connections
        await so(lambda: len(connection._received) > 0)
        server.app.open.set()
        assert (await client.answer()).said["path"] == "/1"
        assert (await client.answer()).status == 400
        assert server.app.asked == ["/1"]


@pytest.mark.parametrize("framing", ["counted", "announced", "expected"])
async def test_a_body_too_long_is_refused_by_the_application(framing: str) -> None:
    async with served() as server:
        client = await server.dial()
        if framing == "counted":
            client.send(chunked("/", [b"a" * 10_000] * 600))
        else:
            client.send(post("/", b"a" * 6_000_000, *(["Expect: 100-continue"] * (framing == "expected"))))
        refused = await client.answer()
        assert refused.status == 413
        assert server.app.asked == ["/"]


@pytest.mark.parametrize("tail", [b"zz\r\n", b"1\r\na\r\n" * 9_000], ids=["rubbish", "overhead"])
async def test_what_follows_in_a_body_that_is_refused_refuses_nothing_more(tail: bytes) -> None:
    """The application was asked, so its response is the one that counts."""
    async with served() as server:
        client = await server.dial()
        client.send(chunked("/", [b"a" * BODY_BYTES_MAX, b"b" * 1_000])[: -len(b"0\r\n\r\n")] + tail)
        assert (await client.answer()).status == 413
        assert (await client.rest(), server.app.asked) == (b"", ["/"])


# Sent ahead


async def test_requests_sent_ahead_wait_unread() -> None:
    async with served() as server:
        server.app.open.clear()
        client = await server.dial()
        client.send(get("/1") * 100_000)
        await so(lambda: server.app.asked != [])
        [connection] = server.server.server_state.connections
        assert isinstance(connection, BoundedProtocol)
        await so(lambda: len(connection._received) > 0 and not connection.transport.is_reading())
        assert server.app.asked == ["/1"]
        assert len(connection._received) <= 256 * KIB
        assert not connection.pipeline
        server.app.open.set()
        assert [(await client.answer()).said["path"] for _ in range(2_000)] == ["/1"] * 2_000
        client.close()


# Time


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD_S", "BODY_S", "IDLE_S"):
        monkeypatch.setattr(protocol, name, 0.5)


SLOW = {
    "a head": (b"GET / HTTP/1.1\r\n", b"X"),
    "a body": (post("/", b"a" * 10_000)[:-10_000], b"a"),
    "chunks": (chunked("/", [b"abc"])[:-5], b"1\r\na\r\n"),
    "a head after another request": (get("/fine") + b"GET / HTTP/1.1\r\n", b"X"),
    "a head behind a body": (post("/fine", b"a") + b"GET / HTTP/1.1\r\n", b"X"),
}


@pytest.mark.usefixtures("in_a_hurry")
@pytest.mark.parametrize("name", SLOW)
async def test_bytes_that_trickle_buy_no_time(name: str) -> None:
    begun, drop = SLOW[name]
    async with served() as server:
        client = await server.dial()
        client.send(begun)
        if b"/fine" in begun:
            assert (await client.answer()).said["path"] == "/fine"
        answer = asyncio.create_task(client.answer())
        while not answer.done():
            client.send(drop)
            await asyncio.sleep(0.02)
        refused = await answer
        assert (refused.status, refused.said["code"]) == (408, "REQUEST_TIMEOUT")
        assert server.app.asked == (["/fine"] if b"/fine" in begun else [])


@pytest.mark.usefixtures("in_a_hurry")
@pytest.mark.parametrize("sent", [b"", b"\r\n", get("/fine")], ids=["nothing", "an empty line", "a request"])
async def test_an_idle_connection_is_closed_without_a_word(sent: bytes) -> None:
    async with served() as server:
        client = await server.dial()
        client.send(sent)
        if b"/fine" in sent:
            assert (await client.answer()).said["path"] == "/fine"
        assert await client.rest() == b""


@pytest.mark.usefixtures("in_a_hurry")
async def test_an_answer_may_take_its_time() -> None:
    async with served() as server:
        server.app.open.clear()
        client = await server.dial()
        client.send(post("/1", b"a"), get("/2"))
        await asyncio.sleep(1.5)
        server.app.open.set()
        assert [(await client.answer()).said["path"] for _ in range(2)] == ["/1", "/2"]


async def test_one_that_reads_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "STALL_S", 0.3)
    async with served() as server:
        client = await server.dial()
        client.read_little()
        client.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
        client.send(get("/" + "y" * 30_000) * 200)
        await so(lambda: server.connections > 0)
        await so(lambda: server.connections == 0)


async def test_a_refused_one_that_stays_is_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LINGER_S", 0.3)
    async with served() as server:
        client = await server.dial()
        client.send(b"HELLO\r\n\r\n")
        assert (await client.answer()).status == 400
        while server.connections:
            client.send(b"x")
            await asyncio.sleep(0.01)


# Connections


async def test_the_oldest_idle_connection_of_an_address_gives_way() -> None:
    async with served(connections_per_address_max=3) as server:
        clients = [await server.dial() for _ in range(3)]
        for each in clients:
            each.send(get("/1"))
            assert (await each.answer()).status == 200
        fourth = await server.dial()
        fourth.send(get("/4"))
        assert (await fourth.answer()).said["path"] == "/4"
        assert await clients[0].rest() == b""
        for each in clients[1:]:
            each.send(get("/2"))
            assert (await each.answer()).said["path"] == "/2"


async def busy(server: Served, source: str = "127.0.0.1") -> None:
    before = len(server.app.asked)
    (await server.dial(source)).send(get("/busy"))
    await so(lambda: len(server.app.asked) > before)


async def test_where_all_are_busy_the_new_one_is_refused_and_other_addresses_are_not() -> None:
    async with served(connections_per_address_max=3) as server:
        server.app.open.clear()
        for _ in range(3):
            await busy(server)
        refused = await (await server.dial()).answer()
        assert (refused.status, refused.said["code"]) == (429, "RATE_LIMITED")
        assert refused.headers["retry-after"] == "1"
        await busy(server, "127.0.0.2")


async def test_a_refused_connection_that_stays_open_counts() -> None:
    async with served(connections_per_address_max=3) as server:
        for status in [400] * 3 + [429] * 3:
            client = await server.dial()
            client.send(b"HELLO\r\n\r\n" if status == 400 else b"")
            assert (await client.answer()).status == status
        await so(lambda: server.connections == 3)


async def test_a_response_on_its_way_does_not_give_way() -> None:
    """Whoever reads slowly goes on reading, though its address opens another connection."""
    async with served(connections_per_address_max=1) as server:
        slow = await server.dial()
        slow.read_little()
        slow.writer.transport.pause_reading()  # pyright: ignore[reportAttributeAccessIssue]
        slow.send(get("/" + "y" * 30_000) * 400)
        [connection] = [each async for each in connected(server)]
        await so(lambda: connection.flow.write_paused)
        assert (await (await server.dial()).answer()).status == 429
        slow.writer.transport.resume_reading()  # pyright: ignore[reportAttributeAccessIssue]
        for _ in range(3):
            assert len((await slow.answer()).said["path"]) == 30_001


async def connected(server: Served) -> AsyncIterator[BoundedProtocol]:
    await so(lambda: server.connections == 1)
    for each in server.server.server_state.connections:
        yield each


async def test_proxies_may_have_any_number() -> None:
    async with served(connections_per_address_max=1, trusted_proxies="10.0.0.1, 127.0.0.0/8") as server:
        server.app.open.clear()
        for _ in range(5):
            await busy(server)


async def test_a_closed_connection_makes_room() -> None:
    async with served(connections_per_address_max=1) as server:
        for _ in range(20):
            client = await server.dial()
            client.send(get("/1"))
            assert (await client.answer()).status == 200
            client.close()
            await so(lambda: server.connections == 0)
