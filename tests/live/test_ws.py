"""The WebSocket: what is said, and who may say it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.booking.asking import at, cancel
from tests.conftest import House
from tests.live.conftest import bookings_channel, slot_channel, staff
from tests.live.reading import TTLS_S, opened
from tests.processes import SOON_S, Running, until

WITHIN_S = SOON_S


class Socket:
    """A connection that speaks JSON."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, **message: Any) -> None:
        await self.connection.send(orjson.dumps(message).decode())

    async def hear(self, *, within_s: float = WITHIN_S) -> dict[str, Any]:
        return orjson.loads(await asyncio.wait_for(self.connection.recv(), within_s))

    async def ask(self, **message: Any) -> dict[str, Any]:
        await self.say(**message)
        return await self.hear()

    async def nothing(self) -> None:
        """All that was said before has been answered, and nothing else comes."""
        assert await self.ask(op="ping") == {"op": "pong"}


@asynccontextmanager
async def socket(
    api: Running, *, token: str | None = None, origin: str | None = None
) -> AsyncIterator[Socket]:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    url = f"ws://127.0.0.1:{api.port}/api/v1/live/ws"
    async with connect(url, additional_headers=headers, origin=origin, proxy=None) as connection:  # pyright: ignore[reportArgumentType]
        yield Socket(connection)


async def test_events_come_on_what_is_subscribed_and_on_nothing_else(api: Running, house: House) -> None:
    bookings, slot = bookings_channel(house), slot_channel(house)
    async with socket(api, token=staff(house)) as bob:
        subscribed = await bob.ask(op="subscribe", channels=[bookings, slot])
        assert subscribed["op"] == "subscribed"
        assert {name: each["version"] for name, each in subscribed["channels"].items()} == {
            bookings: 0,
            slot: 0,
        }
        booking = await house.booked(start=at("19:00"), resource_ids=house.ids("t1"))
        told = {each["channel"]: each for each in (await bob.hear(), await bob.hear())}
        assert told[bookings]["type"] == "booking.created"
        assert told[slot]["data"]["newState"] == "confirmed"
        for name, each in told.items():
            assert (each["op"], each["version"]) == ("event", 1)
            assert each["epoch"] == subscribed["channels"][name]["epoch"] == each["data"]["epoch"]
            assert each["data"]["channel"] == name
            assert each["cursor"]
        await bob.say(op="unsubscribe", channels=[slot])
        await bob.nothing()
        await cancel(house, booking)
        assert (await bob.hear())["type"] == "booking.cancelled"
        await bob.nothing()


async def test_the_same_is_said_as_on_the_other_transport(api: Running, house: House) -> None:
    sse = await opened(api.port, slot_channel(house))
    async with socket(api) as gina:
        await gina.ask(op="subscribe", channels=[slot_channel(house)])
        await house.booked(start=at("19:00"), resource_ids=house.ids("t1"))
        (frame,) = await sse.take(1)
        event = await gina.hear()
    assert event["data"] == frame.data
    assert event["cursor"] == frame.id
    assert event["type"] == frame.event
    sse.close()


async def test_what_was_missed_comes_before_subscribed(api: Running, house: House) -> None:
    name = slot_channel(house)
    witness = await opened(api.port, name)
    async with socket(api) as gina:
        await gina.ask(op="subscribe", channels=[name])
        booking = await house.booked(start=at("19:00"), resource_ids=house.ids("t1"))
        seen = await gina.hear()
    await cancel(house, booking)
    await house.booked(start=at("19:00"), resource_ids=house.ids("t2"))
    await witness.take(3)
    witness.close()
    async with socket(api) as gina:
        await gina.say(op="subscribe", channels=[name], after=seen["cursor"])
        said = [await gina.hear() for _ in range(3)]
        assert [each["op"] for each in said] == ["event", "event", "subscribed"]
        assert [each["version"] for each in said[:2]] == [2, 3]
        assert said[2]["channels"][name]["version"] == 3
        await gina.nothing()


async def test_a_cursor_of_another_history_is_a_reset(api: Running, house: House) -> None:
    name = slot_channel(house)
    async with socket(api) as gina:
        await gina.say(op="subscribe", channels=[name], after="00000000-1")
        reset, subscribed = await gina.hear(), await gina.hear()
        assert (reset["op"], reset["channel"]) == ("reset", name)
        assert subscribed["op"] == "subscribed"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("{", "message: is not JSON"),
        ("[]", "message: "),
        ('"ping"', "message: "),
        ("{}", "message: "),
        ('{"op": "dance"}', "message: op must be one of 'subscribe'"),
        ('{"op": "ping", "loudly": true}', "loudly: "),
        ('{"op": "subscribe"}', "channels: "),
        ('{"op": "subscribe", "channels": []}', "channels: "),
        ('{"op": "subscribe", "channels": "x"}', "channels: "),
        ('{"op": "subscribe", "channels": ["x"]}', "channel: must be"),
        ('{"op": "subscribe", "channels": ["x"], "after": 3}', "after: "),
        ('{"op": "unsubscribe", "channels": [1]}', "channels.0: "),
        ('{"op": "ping", "x": "' + 70_000 * "x" + '"}', "65536 bytes"),
    ],
)
async def test_what_makes_no_sense_is_answered_and_the_connection_stays(
    api: Running, message: str, said: str
) -> None:
    async with socket(api) as gina:
        await gina.connection.send(message)
        error = await gina.hear()
        assert error.keys() == {"op", "code", "detail"}
        assert (error["op"], error["code"]) == ("error", "INVALID_REQUEST")
        assert said in error["detail"]
        assert await gina.ask(op="ping") == {"op": "pong"}


async def test_bytes_are_heard_like_text(api: Running) -> None:
    async with socket(api) as gina:
        await gina.connection.send(b'{"op": "ping"}')
        assert await gina.hear() == {"op": "pong"}


async def test_a_wrong_cursor_leaves_everything_as_it_was(api: Running, house: House) -> None:
    async with socket(api) as gina:
        error = await gina.ask(op="subscribe", channels=[slot_channel(house)], after="yesterday")
        assert error["code"] == "INVALID_REQUEST"
        await house.booked(start=at("19:00"), resource_ids=house.ids("t1"))
        await gina.nothing()


async def test_one_connection_follows_50_channels_at_most(api: Running, house: House) -> None:
    names = [slot_channel(house, days=n) for n in range(51)]
    async with socket(api) as gina:
        assert (await gina.ask(op="subscribe", channels=names))["code"] == "INVALID_REQUEST"
        assert (await gina.ask(op="subscribe", channels=names[:50]))["op"] == "subscribed"
        assert (await gina.ask(op="subscribe", channels=names[50:]))["code"] == "INVALID_REQUEST"
        await gina.say(op="unsubscribe", channels=names[:1])
        assert (await gina.ask(op="subscribe", channels=names[50:]))["op"] == "subscribed"


async def test_only_staff_subscribe_to_bookings(api: Running, house: House, charlie: dict[str, str]) -> None:
    codes = {None: "UNAUTHENTICATED", house.gina["authorization"][7:]: "FORBIDDEN"}
    codes[charlie["authorization"][7:]] = "NOT_FOUND"
    for token, code in codes.items():
        async with socket(api, token=token) as who:
            assert (await who.ask(op="subscribe", channels=[bookings_channel(house)]))["code"] == code
            await house.booked(start=at("19:00"))
            await who.nothing()


async def test_pages_of_other_origins_may_not_connect(api: Running) -> None:
    for origin in ("https://evil.example", "null", f"http://localhost:{api.port}"):
        with pytest.raises(InvalidStatus) as refused:
            async with socket(api, origin=origin):
                pass
        assert refused.value.response.status_code == 403
        assert orjson.loads(refused.value.response.body or b"")["code"] == "FORBIDDEN"
    async with socket(api, origin=f"http://127.0.0.1:{api.port}") as own:
        await own.nothing()


async def test_a_bad_token_is_refused_at_the_door(api: Running) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with socket(api, token="nonsense"):
            pass
    assert refused.value.response.status_code == 401


async def test_the_connection_ends_when_its_token_does(api: Running, house: House) -> None:
    for ttl_s in TTLS_S:
        short = house.mint(house.tenant, ["staff"], "bob", ttl_s=ttl_s)
        with suppress(InvalidStatus):
            async with socket(api, token=short) as bob:
                with suppress(ConnectionClosed):
                    await bob.ask(op="subscribe", channels=[bookings_channel(house)])
                with pytest.raises(ConnectionClosed) as closed:
                    await bob.hear()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 4401
                return
    raise AssertionError("no token was long enough")


async def test_who_talks_too_much_is_heard_more_slowly(api: Running) -> None:
    async with socket(api) as gina:
        started = asyncio.get_running_loop().time()
        for _ in range(60):
            await gina.say(op="ping")
        for _ in range(60):
            assert await gina.hear() == {"op": "pong"}
        # 40 at once, then 20 a second.
        assert asyncio.get_running_loop().time() - started > 0.7


async def test_it_is_logged_at_its_end_without_its_token(api: Running, house: House) -> None:
    token = staff(house)
    url = f"ws://127.0.0.1:{api.port}/api/v1/live/ws?access_token={token}"
    before = api.log.read_text()
    async with connect(url, proxy=None) as connection:
        assert (await Socket(connection).ask(op="subscribe", channels=[bookings_channel(house)]))[
            "op"
        ] == "subscribed"

    async def logged() -> str | None:
        text = api.log.read_text().removeprefix(before)
        return text if '"route":"/api/v1/live/ws"' in text else None

    text = await until(logged)
    assert '"status":101' in text
    assert '"actor":"staff"' in text
    assert token[:40] not in text
