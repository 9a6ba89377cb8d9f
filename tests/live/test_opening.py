"""How far a channel is when the first reader of a process comes, while it goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI

from holdfast.live.hub import Hub
from tests.conftest import House
from tests.live.asgi import asked, opening
from tests.live.conftest import slot_channel
from tests.live.reading import versions
from tests.live.test_slow import EVENT
from tests.processes import until

ROUNDS = 40


@pytest.fixture
async def row(app: FastAPI, house: House, owner: asyncpg.Connection) -> Any:
    """The house's channel, open."""
    async with asked(app, slot_channel(house)) as gina:
        await opening(gina)
    tenant = await owner.fetchval("SELECT tenant_id FROM venue WHERE id = $1", house.venue_id)
    return tenant, house.venue_id, slot_channel(house).split(":", 3)[3]


async def test_it_is_known_exactly_while_events_come(
    app: FastAPI, house: House, owner: asyncpg.Connection, row: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.live.channels.UNREAD_TTL_S", -1.0)
    hub: Hub = app.state.hub
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            await owner.execute(EVENT, *row, 1)

    writing = asyncio.create_task(write())
    try:
        for _ in range(ROUNDS):
            hub.channels.forget_unread()
            assert not list(hub.channels)
            async with asked(app, slot_channel(house)) as gina:
                await opening(gina)
                frames = await gina.take(5)
                assert {frame.event for frame in frames} == {"booking.created"}
                first = frames[0].version
                assert versions(frames) == list(range(first, first + 5))
    finally:
        stop.set()
        await writing


async def test_a_transaction_left_open_keeps_nothing_from_who_comes(
    app: FastAPI, house: House, owner: asyncpg.Connection, row: Any, database_url: str
) -> None:
    hub: Hub = app.state.hub
    await owner.execute(EVENT, *row, 1)
    await hub.tail.caught_up()
    hub.channels.clear()
    slow = await asyncpg.connect(database_url)
    transaction = slow.transaction()
    await transaction.start()
    await slow.fetchval("SELECT pg_current_xact_id()")
    try:
        async with asked(app, slot_channel(house)) as gina:
            first = await opening(gina)
            await owner.execute(EVENT, *row, 1)
            await owner.execute(EVENT, *row, 1)
            frames = await gina.take(2)
            async with asked(app, slot_channel(house), after=str(first.id)) as again:
                frames += await again.take(2)
    finally:
        await transaction.rollback()
        await slow.close()
    assert versions(frames) == [2, 3, 2, 3]
    assert {frame.event for frame in frames} == {"booking.created"}


async def test_what_has_no_position_yet_comes_after_the_opening(
    app: FastAPI, house: House, owner: asyncpg.Connection, row: Any, database_url: str
) -> None:
    """The channel's row counts it already; the reader is not there yet."""
    hub: Hub = app.state.hub
    await owner.execute(EVENT, *row, 1)
    await hub.tail.caught_up()
    hub.channels.clear()
    numbering = await asyncpg.connect(database_url, server_settings={"holdfast.tenants": "*"})
    transaction = numbering.transaction()
    await transaction.start()

    async def nobody_else_numbers() -> bool:
        return await numbering.fetchval("SELECT is_complete FROM number_events(NULL, 0, 1000)")

    try:
        await until(nobody_else_numbers)
        await owner.execute(EVENT, *row, 1)
        async with asked(app, slot_channel(house)) as gina:
            await opening(gina)
            await transaction.rollback()
            assert versions(await gina.take(1)) == [2]
    finally:
        await numbering.close()


async def test_a_hundred_who_come_at_once_ask_once(app: FastAPI, house: House) -> None:
    hub: Hub = app.state.hub
    asked_for: list[Any] = []
    open_one = hub.channels._open

    async def counted(channel: Any) -> None:
        asked_for.append(channel.key)
        await open_one(channel)

    hub.channels._open = counted  # pyright: ignore[reportAttributeAccessIssue]
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(_look(app, slot_channel(house)))
    finally:
        hub.channels._open = open_one  # pyright: ignore[reportAttributeAccessIssue]
    assert len(asked_for) == 1


async def _look(app: FastAPI, name: str) -> None:
    async with asked(app, name) as stream:
        await opening(stream)
