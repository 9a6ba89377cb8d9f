"""A change of a series is planned without the lock too, and changes in the meantime are taken into account."""

from __future__ import annotations

from datetime import time
from itertools import count
from typing import Any

import pytest

from holdfast.assigning.preferences import Preferences
from holdfast.engine import Engine
from holdfast.kernel.errors import VersionConflict
from holdfast.series import expand
from holdfast.series.model import OnConflict
from holdfast.series.refused import SeriesRefused
from tests.conftest import House

from .thinking import Repeating, clocks, once, seats


@pytest.mark.parametrize("on_conflict", [OnConflict.REFUSE, OnConflict.SKIP])
async def test_a_change_minds_who_books_there_meanwhile(
    engine: Engine, house: House, on_conflict: OnConflict
) -> None:
    repeating = Repeating(engine, house)
    series = await repeating.create(await repeating.asked("FREQ=WEEKLY;COUNT=4", "t1"))
    later = Repeating(engine, house, once(house, "t1", 7, "20:00"))
    changes = {"booking_time": time(19), "on_conflict": on_conflict}
    if on_conflict is OnConflict.REFUSE:
        with pytest.raises(SeriesRefused, match="1 of 4"):
            await later.change(series, **changes)
    else:
        changed = await later.change(series, **changes)
        assert clocks(changed) == ["19:00", "18:00", "19:00", "19:00"]
        assert [each["problem"]["code"] for each in changed.more["unchanged"]] == ["TABLE_NOT_AVAILABLE"]
    assert later.plans == 2


async def test_a_change_looks_for_another_table_when_one_goes_meanwhile(engine: Engine, floor: House) -> None:
    repeating = Repeating(engine, floor)
    series = await repeating.create(await repeating.asked())
    undisturbed = await repeating.change(series, preferences=Preferences(zones=("hall",)))
    back = await repeating.change(undisturbed, preferences=Preferences(zones=("window",)))
    [hall] = set(seats(floor, undisturbed))
    assert set(seats(floor, back)) == {"t00"}
    later = Repeating(engine, floor, once(floor, hall, 7))
    changed = await later.change(back, preferences=Preferences(zones=("hall",)))
    assert [seat == hall for seat in seats(floor, changed)] == [True, False, True, True]
    assert later.plans == 2


async def test_a_booking_that_is_changed_meanwhile_is_not_overwritten(engine: Engine, house: House) -> None:
    repeating = Repeating(engine, house)
    series = await repeating.create(await repeating.asked("FREQ=WEEKLY;COUNT=4", "t1"))
    came = count()

    async def patch() -> None:
        if next(came) == 0:
            path = f"/bookings/{series.members[1].booking.id}"
            body = {"expected_version": 1, "guest_name": "Gina"}
            done = await house.client.put(path, json=body, headers=house.bob)
            assert done.status_code == 200, done.text

    later = Repeating(engine, house, patch)
    changed = await later.change(series, party_size=1)
    assert [each.booking.version for each in changed.members] == [2, 3, 2, 2]
    assert [each.booking.guest.name for each in changed.members] == [None, "Gina", None, None]
    assert {each.booking.party_size for each in changed.members} == {1}
    assert later.plans == 2


async def test_a_series_that_is_changed_meanwhile_is_a_conflict(engine: Engine, house: House) -> None:
    elsewhere = Repeating(engine.over(engine.db), house)  # in another process
    series = await elsewhere.create(await elsewhere.asked())

    async def other() -> None:
        await elsewhere.change(series, party_size=1)

    with pytest.raises(VersionConflict) as refused:
        await Repeating(engine, house, other).change(series, guest={"name": "Gina"})
    assert refused.value.fields == {"current_version": 2}


async def test_changes_make_room_for_each_other_however_much_is_read_at_once(
    engine: Engine, open_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First all move two hours later. Then only the last one can be longer than a day."""
    for most in (expand.PROBES_MAX, 1):
        monkeypatch.setattr(expand, "PROBES_MAX", most)
        house: House = await open_house(hours={}, policy={"duration_minutes_max": 2_000})
        repeating = Repeating(engine, house)
        series = await repeating.create(await repeating.asked("FREQ=DAILY;COUNT=4", "t1", minutes=23 * 60))
        series = await repeating.change(series, booking_time=time(20))
        assert clocks(series) == ["20:00"] * 4
        series = await repeating.change(
            series, booking_time=time(21), duration_minutes=25 * 60, on_conflict=OnConflict.SKIP
        )
        assert clocks(series) == ["20:00", "20:00", "20:00", "21:00"]
