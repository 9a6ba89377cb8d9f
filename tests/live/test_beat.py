"""What streams get because time passes, and what is noted of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI

from holdfast.live import stream as timed
from holdfast.live.frames import comment, parse_cursor
from holdfast.live.outlets import SSE, WS
from holdfast.live.stream import Heartbeat, Outbox, Stream
from tests.booking.asking import at
from tests.conftest import House
from tests.live.asgi import asked, opening
from tests.live.conftest import slot_channel
from tests.live.reading import opened
from tests.live.test_slow import Stuck
from tests.processes import SOON_S, Running, until


async def test_each_stream_gets_a_comment_once_in_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed, "COMMENT_S", 0.06)
    outlets = [Stuck() for _ in range(130)]
    streams = [Stream(each, Outbox(), packing=SSE, expires_at=None) for each in outlets]
    socket = Stream(Stuck(), Outbox(), packing=WS, expires_at=None)
    for outlet in outlets:
        outlet.paused = False
    rounds = 0

    def count() -> None:
        nonlocal rounds
        rounds += 1

    beats = Heartbeat(comment=lambda _: comment(None), slow=lambda _: None, on_beat=count)
    for stream in (*streams, socket):
        beats.add(stream)
    beats.discard(streams[0])
    beats.start()

    async def three_rounds() -> bool:
        return rounds >= 3 * timed.BEATS

    await until(three_rounds)
    await beats.stop()
    assert outlets[0].written == []
    for outlet in outlets[1:]:
        assert set(outlet.written) == {b":\n\n"}
        assert rounds // timed.BEATS <= len(outlet.written) <= rounds // timed.BEATS + 1


async def test_ends_of_tokens_are_forgotten_with_their_streams() -> None:
    beats = Heartbeat(comment=lambda _: comment(None), slow=lambda _: None, on_beat=lambda: None)
    stream = Stream(Stuck(), Outbox(), packing=SSE, expires_at=1e12)
    beats.add(stream)
    beats.discard(stream)
    assert beats._ends == {}


async def test_comments_go_between_frames(app: FastAPI, house: House) -> None:
    async with asked(app, slot_channel(house)) as gina:
        await opening(gina)
        for stream in app.state.hub.streams:
            app.state.hub._beat.discard(stream)  # whose turn may be now
            stream.send([b":\n\n"])
        await house.booked(start=at("19:00"), resource_ids=house.ids("s1"))
        await gina.take(1)
        assert gina.comments == 1


async def test_a_comment_says_how_far_a_quiet_stream_is_told(
    app: FastAPI, house: House, open_house: Callable[..., Awaitable[House]]
) -> None:
    hub = app.state.hub
    async with asked(app, slot_channel(house)) as gina:
        first = await opening(gina)
        (stream,) = [each for each in hub.streams if hub.streams[each] is not None]
        hub._beat.discard(stream)  # whose turn may be now
        other = await open_house()
        await other.booked(start=at("19:00"), resource_ids=other.ids("s1"))  # no event of Gina's channel
        await hub.tail.caught_up()
        stream.send([hub._comment(stream)])
        assert await gina.nothing() is None
        quiet = gina.cursor
        await house.booked(start=at("19:00"), resource_ids=house.ids("s1"))
        (frame,) = await gina.take(1)
        assert gina.comments == 1
        assert parse_cursor(first.id or "") < parse_cursor(quiet or "") < parse_cursor(frame.id or "")
        hub.set_views(stream, ())
        assert hub._comment(stream) == b":\n\n"


async def metrics(api: Running) -> Callable[[str], float]:
    """The value of each metric by name and labels, 0 for one that is not there yet."""
    async with httpx.AsyncClient(trust_env=False, timeout=None) as client:
        text = (await client.get(f"http://127.0.0.1:{api.port}/metrics")).text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return lambda name: float(values.get(name, 0))


OPEN = 'holdfast_live_streams{transport="sse"}'
TOLD = 'holdfast_live_events_delivered_total{transport="sse"}'
TIMED = 'holdfast_http_seconds_count{route="/api/v1/live"}'


async def test_a_stream_is_counted_and_logged_at_its_end_and_not_timed(api: Running, house: House) -> None:
    async def others_are_gone() -> Callable[[str], float] | None:
        now = await metrics(api)
        return now if now(OPEN) == 0 else None

    before = await until(others_are_gone)
    logged = len(api.log.read_text())
    stream = await opened(api.port, slot_channel(house))
    now = await metrics(api)
    assert now(OPEN) == 1
    assert now("holdfast_http_in_flight") == 1  # this one
    await house.booked(start=at("19:00"), resource_ids=house.ids("s1"))
    await stream.take(1)

    async def measured() -> Callable[[str], float] | None:
        now = await metrics(api)
        name = "holdfast_live_delivery_seconds_count"
        return now if now(name) > before(name) else None

    now = await until(measured)
    assert now(TOLD) == before(TOLD) + 1
    assert now("holdfast_live_tail_lag_seconds") < SOON_S
    stream.close()

    def lines() -> list[str]:
        return [
            line for line in api.log.read_text()[logged:].splitlines() if '"route":"/api/v1/live"' in line
        ]

    async def over() -> list[str]:
        return lines()

    (line,) = await until(over)
    assert '"status":200' in line
    now = await until(others_are_gone)
    assert now(TIMED) == before(TIMED)


async def test_nothing_is_left_of_streams_that_left(app: FastAPI, house: House) -> None:
    hub = app.state.hub
    for _ in range(3):
        async with asked(app, slot_channel(house)) as gina:
            await opening(gina)
    await asyncio.sleep(0)
    assert not hub.streams
    assert not hub._audiences
    assert not any(hub._beat._turns)
    assert all(not each.audiences and not each.pins for each in hub.channels)
