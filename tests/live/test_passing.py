"""Time passes: who looks at a slot is told to look again when guests can book more or less of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.booking.asking import at, instant
from tests.conftest import House
from tests.live.conftest import slot_channel, staff
from tests.live.near import near
from tests.live.reading import Reader, opened

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


async def test_a_slot_that_is_over_is_looked_at_no_more(
    open_house: Any, database_url: str, data_dir: Path
) -> None:
    house: House = await open_house(resources=TABLES, slots=LATE)
    channel = slot_channel(house, slot="late")
    async with near(database_url, data_dir) as here:
        reader = await opened(here.port, channel)
        for days in range(1, 9):
            here.hub.look_at_clock(instant("12:00", days))
        await house.booked(start=at("20:00"), resource_ids=house.ids("t2"))
        assert await resets(reader) == 0
        reader.close()
