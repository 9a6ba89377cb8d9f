"""The tail: told at once, and lost by nothing that happens to the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI

from holdfast.event.model import Committed
from holdfast.event.number import Numbered, Numberer
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import Overloaded
from holdfast.live import store, subscribe, tail
from holdfast.live.channels import Channel
from holdfast.live.hub import Hub
from holdfast.live.stream import Views
from tests.booking.asking import DAY, at
from tests.conftest import House
from tests.live.asgi import asked, opening
from tests.live.conftest import slot_channel
from tests.live.reading import versions
from tests.live.test_slow import Stuck, stream_to
from tests.processes import until


@pytest.fixture
def hub(app: FastAPI) -> Hub:
    return app.state.hub


async def change(house: House) -> None:
    await house.booked(start=at("19:00"), resource_ids=house.ids("s1"))


async def test_a_commit_of_this_process_rings_the_bell(
    app: FastAPI, hub: Hub, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asked(app, slot_channel(house)) as gina:
        await opening(gina)
        await hub.tail.caught_up()
        monkeypatch.setattr(tail, "POLL_S", 30.0)
        await hub.tail.caught_up()  # finds nothing, and waits for the bell
        await change(house)
        assert versions(await gina.take(1)) == [1]


class Broken:
    """A database that can't be reached for a while."""

    def __init__(self, call: Any) -> None:
        self.call, self.asked, self.mended = call, 0, False

    async def run(self, *args: Any, **kwargs: Any) -> Any:
        if not self.mended:
            self.asked += 1
            raise Overloaded("The database can't be reached.")
        return await self.call.run(*args, **kwargs)


@asynccontextmanager
async def outage(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Broken]:
    """The tail has no database for the block, and has noticed."""
    broken = Broken(hub.tail._call)
    monkeypatch.setattr(hub.tail, "_call", broken)
    monkeypatch.setattr(hub.tail._numberer, "_call", broken)

    async def noticed() -> bool:
        return broken.asked >= 2

    await until(noticed)
    yield broken
    broken.mended = True


async def test_what_is_committed_while_it_has_no_database_is_told_afterwards(
    app: FastAPI, hub: Hub, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asked(app, slot_channel(house)) as gina:
        await opening(gina)
        await change(house)
        await gina.take(1)
        async with outage(hub, monkeypatch) as broken:
            await change(house)
            await change(house)
            await gina.nothing(for_s=0.1)
            assert broken.asked < 20  # it waits longer each time
            assert hub.tail.lag_s > 0.05
        assert versions(await gina.take(2)) == [2, 3]
        await hub.tail.caught_up()
        assert hub.tail.lag_s < 1


async def test_another_history_is_a_reset_for_everybody(
    app: FastAPI, hub: Hub, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[int] = []
    monkeypatch.setattr(hub, "lost", [*hub.lost, lambda: lost.append(1)])
    async with asked(app, slot_channel(house)) as gina:
        await opening(gina)
        await change(house)
        (frame,) = await gina.take(1)
        assert frame.data is not None
        with monkeypatch.context() as restored:
            restored.setattr(hub.tail._numberer, "number_and", _in_another_history(hub.tail._numberer))
            (reset,) = await gina.take(1)
            assert reset.event == "reset"
            assert await gina.next() is None
        assert lost

    async def back() -> bool:
        return hub.tail.history == frame.data["epoch"].split("-")[1]

    await until(back)
    # What the client has is of the old history again: there is nothing it could have missed.
    async with asked(app, slot_channel(house), after=str(frame.id)) as again:
        assert (await opening(again)).retry
        await again.nothing(for_s=0.1)
    async with asked(app, slot_channel(house), after="0badcafe-1") as again:
        assert (await again.take(1))[0].event == "reset"


async def test_nobody_follows_a_channel_that_is_being_opened_anew(
    app: FastAPI, hub: Hub, house: House
) -> None:
    """The history was lost while somebody was about to be seated; what happens meanwhile would be lost too."""
    async with asked(app, slot_channel(house)) as gina:
        await opening(gina)
        (known,) = (each for each in hub.channels if str(each.key[1]) == house.venue_id)
    wanted: Views = ((known.key, b'"x"', False),)
    stream = stream_to(Stuck())
    for channel in (None, Channel(known.key)):
        hub.channels.clear()
        if channel is not None:
            hub.channels._by_key[known.key] = channel
        with pytest.raises(Overloaded):
            subscribe.follow(hub, stream, wanted)
        with pytest.raises(Overloaded):
            subscribe.follow(hub, stream, (), current=wanted)
    hub.channels.clear()
    assert stream not in hub.streams


async def test_what_was_purged_can_not_be_replayed(db: Database, owner: asyncpg.Connection) -> None:
    """A cursor from before it is too old, however few events are kept."""
    head = (await Numberer(db).number()).head
    tx = owner.transaction()
    await tx.start()
    await owner.execute("DELETE FROM event_purge")
    assert await store.position_before(owner, head, 10**9) == 0
    await owner.execute("INSERT INTO event_purge (position, up_to) VALUES ($1, now())", head + 5)
    assert await store.position_before(owner, head + 9, 10**9) == head + 5
    assert await store.position_before(owner, head + 9, 2) == head + 7
    await tx.rollback()


def _in_another_history(numberer: Numberer) -> Callable[..., Awaitable[tuple[Numbered, Any]]]:
    number_and = numberer.number_and

    async def elsewhere(look: Callable[[Tx, Numbered], Awaitable[Any]]) -> tuple[Numbered, Any]:
        async def look_there(tx: Tx, numbered: Numbered) -> Any:
            return await look(tx, replace(numbered, epoch="0badcafe"))

        numbered, value = await number_and(look_there)
        return replace(numbered, epoch="0badcafe"), value

    return elsewhere


async def test_a_listener_that_fails_leaves_nobody_in_doubt(
    app: FastAPI, hub: Hub, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_events: Sequence[Committed]) -> None:
        raise RuntimeError("of all things")

    async with asked(app, slot_channel(house)) as gina:
        await opening(gina)
        await hub.tail.caught_up()  # of what came before
        with monkeypatch.context() as failing:
            failing.setattr(hub, "listeners", [fail])
            await change(house)
            assert [frame.event for frame in await gina.take(2)] == ["availability.updated", "reset"]
            assert await gina.next() is None
    async with asked(app, slot_channel(house)) as again:
        await opening(again)
        await change(house)
        assert versions(await again.take(1)) == [2]


async def test_before_the_database_is_there_nobody_can_connect(
    app: FastAPI, hub: Hub, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribe, "READY_S_MAX", 0.05)
    async with outage(hub, monkeypatch):
        hub.tail.ready.clear()
        async with asked(app, slot_channel(house)) as stream:
            assert stream.status == 503
    await hub.tail.caught_up()
    async with asked(app, slot_channel(house)) as stream:
        assert (await opening(stream)).retry


async def test_channels_that_nobody_reads_are_followed_for_a_while_only(
    app: FastAPI, hub: Hub, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asked(app, slot_channel(house)) as gina:
        await opening(gina)
        hub.channels.forget_unread()
        followed = [each.key[2] for each in hub.channels]
        assert f"{DAY}:day" in followed
    monkeypatch.setattr("holdfast.live.channels.UNREAD_TTL_S", -1.0)
    hub.channels.forget_unread()
    assert not list(hub.channels)
    async with asked(app, slot_channel(house)) as gina:
        await opening(gina)
        await change(house)
        assert versions(await gina.take(1)) == [1]
