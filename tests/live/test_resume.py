"""Coming back: exactly what was missed, or a reset."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI

from holdfast.live import subscribe
from holdfast.live.hub import Hub
from tests.booking.asking import at
from tests.conftest import House
from tests.live.asgi import Asked, asked, opening
from tests.live.conftest import bookings_channel, slot_channel, staff
from tests.live.reading import connect, opened, versions
from tests.processes import SOON_S, Running, serving


@pytest.fixture
def hub(app: FastAPI) -> Hub:
    return app.state.hub


async def changes(house: House, count: int) -> None:
    """So many events on the slot: each takes another of the ten units of a section."""
    for _ in range(count):
        await house.booked(start=at("19:00"), resource_ids=house.ids("s1"))


async def told_up_to(hub: Hub) -> None:
    await asyncio.wait_for(hub.tail.caught_up(), SOON_S)


async def test_exactly_what_was_missed_comes_first(api: Running, house: House) -> None:
    name, bookings = slot_channel(house), bookings_channel(house)
    first = await opened(api.port, name, bookings, token=staff(house))
    await changes(house, 2)
    seen = await first.take(3)
    first.close()
    await changes(house, 3)
    witness = await opened(api.port, name)
    again = await connect(api.port, name, bookings, token=staff(house), last_event_id=seen[-1].id)
    missed = await again.take(7)
    everything = seen + missed
    for channel in (name, bookings):
        told = [each for each in everything if each.data is not None and each.data["channel"] == channel]
        assert versions(told) == [1, 2, 3, 4, 5]
    assert len({frame.id for frame in everything}) == len(everything)
    await again.nothing(for_s=0.1)
    again.close()
    witness.close()


async def test_who_missed_nothing_gets_nothing_but_what_comes(api: Running, house: House) -> None:
    first = await opened(api.port, slot_channel(house))
    await changes(house, 1)
    await first.take(1)
    first.close()
    again = await opened(api.port, slot_channel(house), after=first.cursor)
    assert again.cursor is not None
    await changes(house, 1)
    assert (await again.take(1))[0].event == "availability.updated"
    again.close()


async def test_a_stream_that_saw_no_event_resumes_from_its_opening(api: Running, house: House) -> None:
    first = await opened(api.port, slot_channel(house))
    first.close()
    await changes(house, 1)
    again = await connect(api.port, slot_channel(house), after=first.cursor)
    assert versions(await again.take(1)) == [1]
    again.close()


async def test_the_last_event_goes_before_the_address(api: Running, house: House) -> None:
    first = await opened(api.port, slot_channel(house))
    old = first.cursor
    await changes(house, 1)
    await first.take(1)
    again = await opened(api.port, slot_channel(house), after=old, last_event_id=first.cursor)
    await again.nothing(for_s=0.1)
    first.close()
    again.close()


async def test_another_server_takes_over_with_what_it_reads_from_the_database(
    api: Running, house: House, database_url: str, data_dir: Any
) -> None:
    first = await opened(api.port, slot_channel(house))
    await changes(house, 1)
    await first.take(1)
    first.close()
    await changes(house, 4)
    async with serving(database_url, data_dir) as other:
        again = await connect(other.port, slot_channel(house), after=first.cursor)
        assert versions(await again.take(4)) == [2, 3, 4, 5]
        again.close()


# --- resets, in the application itself --------------------------------------------------------


async def _seen(app: FastAPI, house: House, hub: Hub) -> str:
    """The cursor of a reader that saw one event."""
    async with asked(app, slot_channel(house)) as first:
        await opening(first)
        await changes(house, 1)
        await first.take(1)
        assert first.cursor is not None
        return first.cursor


async def reset(stream: Asked, house: House) -> dict[str, Any]:
    (frame,) = await stream.take(1)
    assert frame.event == "reset"
    assert frame.data is not None
    assert frame.data["channel"] == slot_channel(house)
    assert stream.cursor == frame.id
    return frame.data


async def test_a_reset_says_how_far_the_channel_is(app: FastAPI, house: House, hub: Hub) -> None:
    cursor = await _seen(app, house, hub)
    _, _, rest = cursor.partition("-")
    async with asked(app, slot_channel(house), after=f"00000000-{rest}") as again:
        said = await reset(again, house)
        assert said.keys() == {"channel", "epoch", "version"}
        assert said["version"] == 1
        # From there it goes on, and so does who comes back with the cursor of the reset.
        await changes(house, 1)
        assert versions(await again.take(1)) == [2]


async def test_a_cursor_that_is_too_old_is_a_reset_and_never_a_part(
    app: FastAPI, house: House, hub: Hub
) -> None:
    cursor = await _seen(app, house, hub)
    await changes(house, 2)
    await told_up_to(hub)
    floor, hub.broadcaster.ring.floor = hub.broadcaster.ring.floor, hub.broadcaster.position
    try:
        async with asked(app, slot_channel(house), after=cursor) as again:
            assert (await reset(again, house))["version"] == 3
    finally:
        hub.broadcaster.ring.floor = floor


async def test_a_cursor_from_the_future_is_a_reset(app: FastAPI, house: House, hub: Hub) -> None:
    history = (await _seen(app, house, hub)).split("-")[0]
    async with asked(app, slot_channel(house), after=f"{history}-ffffffffff") as again:
        await reset(again, house)


async def test_more_than_a_reader_may_have_waiting_is_a_reset(
    app: FastAPI, house: House, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = await _seen(app, house, hub)
    await changes(house, 3)
    await told_up_to(hub)
    monkeypatch.setattr(subscribe, "BACKLOG_BYTES_MAX", 500)
    async with asked(app, slot_channel(house), after=cursor) as again:
        await reset(again, house)


async def test_who_missed_a_change_of_the_rules_is_told_to_start_anew(
    app: FastAPI, house: House, hub: Hub
) -> None:
    cursor = await _seen(app, house, hub)
    await house.change_policy(slot_step_minutes=30)
    await changes(house, 1)
    await told_up_to(hub)
    names = (slot_channel(house), bookings_channel(house))
    async with asked(app, *names, token=staff(house), after=cursor) as bob:
        missed, again = await bob.take(2)
        # Bookings do not depend on the rules; what is shown of the slot does.
        assert missed.event == "booking.created"
        assert (again.event, again.version) == ("reset", 2)
        await bob.nothing(for_s=0.1)


@pytest.mark.parametrize("cursor", ["x", "1", "00000000-", "00000000-1-1", "00000000-g", "0" * 99])
async def test_what_is_no_cursor_is_refused(app: FastAPI, house: House, cursor: str) -> None:
    async with asked(app, slot_channel(house), after=cursor) as stream:
        assert stream.status == 400
        assert (await stream.body())["errors"][0]["field"] == "after"


async def test_a_channel_that_nobody_had_opened_is_a_reset(app: FastAPI, house: House, hub: Hub) -> None:
    cursor = await _seen(app, house, hub)
    await house.booked(start=at("12:00", 1))
    await told_up_to(hub)
    other = slot_channel(house, days=2)
    async with asked(app, other, after=cursor) as stream:
        (frame,) = await stream.take(1)
        assert frame.event == "reset"


async def test_the_ring_keeps_so_many_and_knows_what_it_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    from holdfast.live import broadcast
    from tests.live.made import told

    monkeypatch.setattr(broadcast, "REPLAY_EVENTS_MAX", 3)
    kept = broadcast.Ring(0)
    events = [told(n, channel="a" if n % 2 else "b") for n in range(1, 6)]
    for each in events:
        kept.add(each)
    assert kept.floor == events[1].position
    assert kept.since(events[0].key, kept.floor) == [events[2], events[4]]
    assert kept.since(events[1].key, kept.floor) == [events[3]]
    assert kept.since(events[0].key, events[2].position) == [events[4]]


async def test_a_gap_is_noticed_and_heals_by_the_snapshot(
    app: FastAPI, house: House, owner: asyncpg.Connection
) -> None:
    async with asked(app, slot_channel(house)) as gina:
        await opening(gina)
        await changes(house, 1)
        assert versions(await gina.take(1)) == [1]
        # A version that no event has: as if one had been lost.
        await owner.execute(
            "UPDATE channel SET version = version + 1 WHERE venue_id = $1 AND name <> 'bookings'",
            house.venue_id,
        )
        await changes(house, 1)
        said = await reset(gina, house)
        assert said["version"] == 3
        day = slot_channel(house).split(":")[3]
        path = f"/clubs/{house.tenant}/venues/{house.venue['slug']}/availability?date={day}"
        snapshot = (await house.client.get(path)).json()
        assert {name: snapshot[name] for name in ("channel", "epoch", "version")} == said
        assert {each["sectionId"]: each["unitsFree"] for each in snapshot["sections"]}[
            house.resources["s1"]
        ] == 8
        await changes(house, 1)
        (frame,) = await gina.take(1)
        assert frame.data is not None
        assert (frame.version, frame.data["unitsFree"]) == (4, 7)
