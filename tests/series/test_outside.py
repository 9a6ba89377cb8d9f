"""A series is planned without holding anybody up, and changes in the meantime are taken into account."""

from __future__ import annotations

from datetime import time, timedelta
from itertools import count
from typing import Any

import pytest

from holdfast.assigning.preferences import Preferences
from holdfast.booking.deciding import prepare as places
from holdfast.booking.finding import suggest
from holdfast.engine import Engine
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.slices import Slices
from holdfast.planning import PLANS_MAX
from holdfast.series import change, decide, expand, plan
from holdfast.series.model import OnConflict
from holdfast.series.refused import SeriesRefused
from tests.booking.asking import DAY, at
from tests.conftest import House
from tests.engines import engine_over
from tests.waitlist.floor import document, tables

from .thinking import Repeating, clocks, once, seats

MODES = list(OnConflict)


@pytest.mark.parametrize("on_conflict", [OnConflict.SKIP, OnConflict.ALTERNATIVES])
async def test_the_lock_is_held_no_longer_for_many(
    engine: Engine, open_house: Any, on_conflict: OnConflict
) -> None:
    """Sixty occurrences take as many round trips as six, with one in three at another time."""
    trips = []
    for many in (6, 60):
        floor: House = await open_house(**document(tables(12), max_advance_days=400))
        for day in range(0, many, 3):
            await floor.booked(start=at("18:00", day), party_size=2, resource_ids=floor.ids("t00"))
        repeating, here = Repeating(engine, floor), []
        series = await repeating.create(await repeating.asked(f"FREQ=DAILY;COUNT={many}", "t00"), on_conflict)
        here.append(repeating.round_trips)
        kept = series.members if on_conflict is OnConflict.ALTERNATIVES else series.more["skipped"]
        assert len(kept) == (many if on_conflict is OnConflict.ALTERNATIVES else many // 3)
        series = await repeating.change(series, preferences=Preferences(zones=("hall",)), party_size=2)
        here.append(repeating.round_trips)
        series = await repeating.change(series, guest={"name": "Gina"})
        here.append(repeating.round_trips)
        await repeating.cancel(series)
        here.append(repeating.round_trips)
        trips.append(here)
    assert trips[0] == trips[1]
    assert max(trips[0]) <= 10


class Watched(Slices):
    """Whenever planning yields, it holds no connection, and anybody can book."""

    db: Database
    house: House
    turns: int

    async def rest(self) -> bool:
        assert self.db.pool.get_size() == self.db.pool.get_idle_size()
        type(self).turns += 1
        if self.turns % 20 == 5:
            await self.house.booked(
                start=at("12:00", self.turns), resource_ids=self.house.ids("t11"), party_size=4
            )
        return await super().rest()


async def test_nothing_is_held_while_it_thinks_nor_searched_while_the_lock_is(
    db: Database, floor: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(0, 30, 3):
        for table in tables(12):
            slug = f"t{table.row:02}"
            await floor.booked(
                start=at("18:00", day), resource_ids=floor.ids(slug), party_size=table.seats_min
            )
    repeating = Repeating(engine_over(db), floor)
    searches = 0

    def unlocked(search_: Any) -> Any:
        def searching(*args: Any, **more: Any) -> Any:
            nonlocal searches
            searches += 1
            assert not repeating.writes
            return search_(*args, **more)

        return searching

    for module in (places, suggest):
        monkeypatch.setattr(module, "candidate_sets", unlocked(module.candidate_sets))
    monkeypatch.setattr(plan, "look", unlocked(plan.look))
    watched = type("Here", (Watched,), {"db": db, "house": floor, "turns": 0})
    for module in (decide, change, suggest):
        monkeypatch.setattr(module, "Slices", watched)
    series = await repeating.create(await repeating.asked("FREQ=DAILY;COUNT=30"), OnConflict.ALTERNATIVES)
    assert (len(series.members), len(series.more["alternatives"])) == (30, 10)
    created = watched.turns
    changed = await repeating.change(series, preferences=Preferences(zones=("hall",)))
    assert set(seats(floor, changed)) != set(seats(floor, series))
    assert min(created, watched.turns - created) >= 30
    assert searches > 60


@pytest.mark.parametrize("on_conflict", MODES)
async def test_a_table_that_is_taken_meanwhile_is_left_and_another_found(
    engine: Engine, house: House, on_conflict: OnConflict
) -> None:
    """Any table will do, so `on_conflict` makes no difference."""
    repeating = Repeating(engine, house, once(house, "t1", 7))
    series = await repeating.create(await repeating.asked(), on_conflict)
    assert seats(house, series) == ["t1", "t2", "t1", "t1"]
    assert (series.more, repeating.plans) == ({"skipped": [], "alternatives": []}, 2)


async def test_what_nothing_can_take_the_place_of_is_refused_left_out_or_moved(
    engine: Engine, open_house: Any
) -> None:
    for on_conflict in MODES:
        house: House = await open_house()
        repeating = Repeating(engine, house, once(house, "t1", 7))
        asked = await repeating.asked("FREQ=WEEKLY;COUNT=4", "t1")
        if on_conflict is OnConflict.REFUSE:
            with pytest.raises(SeriesRefused, match="1 of 4") as refused:
                await repeating.create(asked, on_conflict)
            [missed] = refused.value.missed
            assert (missed.on, missed.error.code) == (DAY + timedelta(days=7), "TABLE_NOT_AVAILABLE")
            assert missed.error.fields["conflicts"]
        else:
            series = await repeating.create(asked, on_conflict)
            skipped, [moved] = series.more["skipped"], series.more["alternatives"] or [None]
            assert len(series.members) == (3 if on_conflict is OnConflict.SKIP else 4)
            assert [each["occurrence_on"] for each in skipped] == (
                [str(DAY + timedelta(days=7))] if on_conflict is OnConflict.SKIP else []
            )
            assert (moved is None) == (on_conflict is OnConflict.SKIP)
        assert repeating.plans == 2


async def test_an_alternative_that_is_taken_meanwhile_is_another(engine: Engine, house: House) -> None:
    for slug in ("t1", "t2", "t3"):
        await house.booked(start=at("18:00", 7), resource_ids=house.ids(slug))
    repeating = Repeating(engine, house, once(house, "t1", 7, "16:30"))
    asked = await repeating.asked("FREQ=WEEKLY;COUNT=4", "t1")
    [moved] = (await repeating.create(asked, OnConflict.ALTERNATIVES)).more["alternatives"]
    assert (moved["start"].isoformat(), repeating.plans) == (at("19:30", 7), 2)


@pytest.mark.parametrize("on_conflict", MODES)
async def test_it_comes_to_an_end_where_somebody_is_faster_each_time(
    engine: Engine, floor: House, on_conflict: OnConflict
) -> None:
    """Others take the best table after each plan. After the last plan the occurrence counts as not available."""
    order = iter(["t00", "t04", "t08"])

    async def book() -> None:
        await floor.booked(start=at("18:00", 7), resource_ids=floor.ids(next(order)))

    repeating = Repeating(engine, floor, book)
    if on_conflict is OnConflict.REFUSE:
        with pytest.raises(SeriesRefused, match="1 of 4"):
            await repeating.create(await repeating.asked(), on_conflict)
        found = await floor.client.get(f"/series?venue_id={floor.venue_id}", headers=floor.bob)
        assert found.json()["items"] == []
    else:
        series = await repeating.create(await repeating.asked(), on_conflict)
        assert seats(floor, series) == ["t00"] * 3
        assert [each["occurrence_on"] for each in series.more["skipped"]] == [str(DAY + timedelta(days=7))]
    assert (repeating.plans, list(order)) == (PLANS_MAX, [])


async def test_a_rule_that_changes_meanwhile_holds(engine: Engine, house: House) -> None:
    """The chosen table no longer seats the party."""
    came = count()

    async def shrink() -> None:
        if next(came) == 0:
            first, *others = house.document["resources"]
            await house.replace({**house.document, "resources": [{**first, "seats_max": 1}, *others]})

    repeating = Repeating(engine, house, shrink)
    series = await repeating.create(await repeating.asked())
    assert (seats(house, series), repeating.plans) == (["t2"] * 4, 2)


async def test_other_times_are_clear_of_what_is_planned(engine: Engine, open_house: Any) -> None:
    """Each lasts until half an hour before the next, so T1 has no other time for the one that is taken."""
    house: House = await open_house(hours={})
    await house.booked(start=at("18:00", 1), duration_minutes=60, resource_ids=house.ids("t1"))
    repeating = Repeating(engine, house)
    asked = await repeating.asked("FREQ=DAILY;COUNT=3", "t1", minutes=23 * 60 + 30)
    series = await repeating.create(asked, OnConflict.ALTERNATIVES)
    assert (seats(house, series), clocks(series)) == (["t1", "t2", "t1"], ["18:00"] * 3)
    assert len(series.more["alternatives"]) == 1


async def test_it_is_the_same_however_much_is_read_at_once(
    engine: Engine, open_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The buffer of each reaches into the next, so they alternate between two tables. All move an hour later."""
    found = []
    for most in (expand.PROBES_MAX, 1):
        monkeypatch.setattr(expand, "PROBES_MAX", most)
        house: House = await open_house(
            hours={}, policy={"slot_step_minutes": 15, "buffer_after_minutes": 60}
        )
        repeating = Repeating(engine, house)
        asked = await repeating.asked("FREQ=DAILY;COUNT=6", minutes=23 * 60 + 30)
        series = await repeating.create(asked)
        moved = await repeating.change(series, booking_time=time(19))
        found.append((seats(house, series), seats(house, moved), clocks(moved)))
    assert found[0] == found[1]
    assert found[0] == (["t1", "t2"] * 3, ["t1", "t2"] * 3, ["19:00"] * 6)


async def test_a_key_has_one_reply_and_its_series_is_planned_once(engine: Engine, house: House) -> None:
    repeating = Repeating(engine, house)
    first, again = [await repeating.reply(await repeating.asked(), "once") for _ in range(2)]
    assert (first, repeating.plans) == (again, 1)


async def test_a_final_refusal_is_stored_and_a_place_that_is_taken_is_not(
    engine: Engine, house: House
) -> None:
    repeating = Repeating(engine, house)
    asked = await repeating.asked("FREQ=WEEKLY;COUNT=4", "t1", party_size=9)
    replies = [await repeating.reply(asked, "large") for _ in range(2)]
    assert [each.code for each in replies] == ["PARTY_TOO_LARGE"] * 2
    assert repeating.plans == 1
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    asked = await repeating.asked("FREQ=WEEKLY;COUNT=4", "t1")
    with pytest.raises(SeriesRefused):
        await repeating.reply(asked, "taken")
    path, body = f"/bookings/{booking['id']}/cancel", {"expected_version": 1}
    assert (await house.client.post(path, json=body, headers=house.bob)).status_code == 200
    assert (await repeating.reply(asked, "taken")).code == "DONE"
