"""Time passes: who looks at a slot is told to look again when guests can book more or less of it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from holdfast.live import channels
from tests.booking.asking import at, instant
from tests.conftest import House
from tests.live.conftest import slot_channel, staff
from tests.live.near import near
from tests.live.reading import Reader, opened
from tests.processes import until

TABLES = [{"slug": each, "name": each.upper()} for each in ("t1", "t2")]
LATE = [{"id": "late", "name": "Late", "start": "20:00", "minutes": 120}]
HELD = [{"resources": ["t1"], "for": "walk_in", "until_minutes": 60}]
SECOND = timedelta(seconds=1)


async def resets(reader: Reader) -> int:
    """How many came before the next event."""
    for number in range(100):
        [frame] = await reader.take(1)
        if frame.event != "reset":
            return number
        assert frame.version == 0
    raise AssertionError("it never ends")


@pytest.mark.parametrize(
    ("policy", "times", "staff_too"),
    [
        ({"max_advance_days": 30}, [instant("20:00", -30), instant("20:00")], False),
        ({"min_notice_minutes": 30}, [instant("19:30")], False),
        ({"held_back": HELD}, [instant("19:00"), instant("20:00")], True),
    ],
)
async def test_readers_are_told_to_look_again_when_the_time_has_come(
    open_house: Any, database_url: str, data_dir: Path, policy: Any, times: list[datetime], staff_too: bool
) -> None:
    house: House = await open_house(
        resources=TABLES, slots=LATE, policy={"max_advance_days": 365, "starts": "slots", **policy}
    )
    channel = slot_channel(house, slot="late")
    async with near(database_url, data_dir) as here:
        guest, bob = await opened(here.port, channel), await opened(here.port, channel, token=staff(house))
        for time in times:
            for seconds in (-2, 1, 3):
                here.hub.look_at_clock(time + seconds * SECOND)
        over = {"override": ["TOO_FAR_AHEAD"], "override_reason": "an old friend"}
        await house.booked(house.alice, start=at("20:00"), resource_ids=house.ids("t2"), **over)
        assert await resets(guest) == len(times)
        assert await resets(bob) == (len(times) if staff_too else 0)
        guest.close()
        bob.close()


async def test_many_new_channels_take_several_looks_and_miss_nothing(
    open_house: Any, database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However little one look has time for, the next goes on from where this one should have been."""
    monkeypatch.setattr(channels, "LOOK_S", 0.0)
    policy = {"max_advance_days": 365, "starts": "slots"}
    house: House = await open_house(resources=TABLES, slots=LATE, policy=policy)
    names = [slot_channel(house, slot="late", days=days) for days in range(3)]
    async with near(database_url, data_dir) as here:
        here.hub.look_at_clock(instant("20:00") - SECOND)
        reader = await opened(here.port, *names)
        for seconds in range(1, 8):
            here.hub.look_at_clock(instant("20:00") + seconds * SECOND)
        [frame] = await reader.take(1)
        assert (frame.event, (frame.data or {})["channel"]) == ("reset", names[0])
        for days in (1, 2):
            here.hub.look_at_clock(instant("20:00", days) + SECOND)
            [frame] = await reader.take(1)
            assert (frame.event, (frame.data or {})["channel"]) == ("reset", names[days])
        reader.close()


async def test_who_comes_just_before_the_time_is_told_too(
    open_house: Any, database_url: str, data_dir: Path
) -> None:
    house: House = await open_house(resources=TABLES, slots=LATE, policy={"starts": "slots"})
    async with near(database_url, data_dir) as here:
        here.hub.look_at_clock(instant("20:00") - SECOND)
        reader = await opened(here.port, slot_channel(house, slot="late"))
        here.hub.look_at_clock(instant("20:00") + SECOND)
        assert [each.event for each in await reader.take(1)] == ["reset"]
        reader.close()


async def test_readers_are_told_although_nobody_asks_this_process_for_the_new_rules(
    open_house: Any, database_url: str, data_dir: Path
) -> None:
    house: House = await open_house(resources=TABLES, slots=LATE, policy={"starts": "slots"})
    async with near(database_url, data_dir) as here:
        reader = await opened(here.port, slot_channel(house, slot="late"))
        here.hub.look_at_clock(instant("12:00"))
        await house.change_policy(min_notice_minutes=60)
        assert [each.event for each in await reader.take(1)] == ["reset"]
        clock, again = count(), asyncio.create_task(reader.take(1))

        async def told() -> bool:
            here.hub.look_at_clock(instant("18:59") + next(clock) * 30 * SECOND)
            return again.done()

        await until(told)
        assert [each.event for each in await again] == ["reset"]
        reader.close()


async def test_who_was_away_then_is_told_afterwards(
    open_house: Any, database_url: str, data_dir: Path
) -> None:
    house: House = await open_house(resources=TABLES, slots=LATE, policy={"starts": "slots"})
    channel = slot_channel(house, slot="late")
    async with near(database_url, data_dir) as here:
        here.hub.look_at_clock(instant("20:00") - SECOND)
        reader, other = await opened(here.port, channel), await opened(here.port, channel)
        cursor = reader.cursor
        reader.close()
        here.hub.look_at_clock(instant("20:00") + SECOND)
        assert [each.event for each in await other.take(1)] == ["reset"]
        again = await opened(here.port, channel, after=cursor)
        assert [each.event for each in await again.take(1)] == ["reset"]
        await house.booked(start=at("20:00"), resource_ids=house.ids("t2"))
        [event] = await other.take(1)
        assert (event.event, event.version) == ("availability.updated", 1)
        later = await opened(here.port, channel, after=other.cursor)
        await later.nothing()
        for each in (other, again, later):
            each.close()


async def test_a_slot_that_is_over_is_looked_at_no_more(
    open_house: Any, database_url: str, data_dir: Path
) -> None:
    house: House = await open_house(resources=TABLES, slots=LATE)
    channel = slot_channel(house, slot="late")
    async with near(database_url, data_dir) as here:
        here.hub.look_at_clock(instant("12:00", 1))
        reader = await opened(here.port, channel)
        for days in range(2, 9):
            here.hub.look_at_clock(instant("12:00", days))
        await house.booked(start=at("20:00"), resource_ids=house.ids("t2"))
        assert await resets(reader) == 0
        reader.close()
