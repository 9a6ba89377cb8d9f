"""A block is planned without holding anybody up, and changes in the meantime are taken into account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from holdfast.block.create import Blocked, BlockPlan, create, plan
from holdfast.block.define import NewBlock
from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from holdfast.place.venue import Venue
from holdfast.planning import PLANS_MAX, Read, change_planned
from tests.booking.asking import at, instant
from tests.conftest import House
from tests.engines import engine_over

from .test_displace import last_step

Meanwhile = Callable[[], Awaitable[Any]]


@pytest.fixture
def engine(db: Database) -> Engine:
    return engine_over(db)


class Blocking:
    """Blocks lanes. Each time a block has been planned but not written yet, `meanwhile` runs."""

    def __init__(self, engine: Engine, house: House, meanwhile: Meanwhile | None = None) -> None:
        self.engine, self.house, self.meanwhile = engine, house, meanwhile
        self.plans = self.round_trips = 0

    async def _plan(self, read: Read, wanted: NewBlock, venue: Venue) -> BlockPlan:
        planned = await plan(read, wanted, by=str(SYSTEM), venue=venue, places=self.engine.places)
        self.plans += 1
        if self.meanwhile is not None:
            await self.meanwhile()
        return planned

    async def _create(self, tx: Tx, planned: BlockPlan, **more: Any) -> Blocked:
        before = tx.round_trips
        blocked = await create(tx, planned, **more)
        self.round_trips = tx.round_trips - before
        return blocked

    async def on(self, *lanes: str, start: str = "12:00", end: str = "13:00") -> Blocked:
        venue = await self.engine.places.venue(UUID(self.house.venue_id))
        wanted = NewBlock(
            id=new_id(),
            resource_ids=tuple(map(UUID, self.house.ids(*lanes))),
            start=instant(start),
            end=instant(end),
            reason="resurfacing",
            on_conflict="displace",
        )
        planned = partial(self._plan, wanted=wanted, venue=venue)
        done = await change_planned(
            self.engine, SYSTEM, venue, planned, self._create, key=None, show=Blocked.as_json
        )
        assert done.value is not None
        return done.value


async def alternatives(house: House, booking: dict[str, Any]) -> list[Any]:
    return (await last_step(house, booking))["metadata"]["alternatives"]


async def test_the_lock_is_held_no_longer_for_many_who_are_displaced(engine: Engine, alley: House) -> None:
    """Each booking gets alternatives, and none are searched for under the lock."""
    trips = []
    for hours in (1, 8):
        here = [
            await alley.booked(start=at(f"{10 + hour}:00"), duration_minutes=60, resource_ids=alley.ids(lane))
            for lane in ("l1", "l2")
            for hour in range(hours)
        ]
        blocking = Blocking(engine, alley)
        blocked = await blocking.on("l1", "l2", start="10:00", end=f"{10 + hours}:00")
        assert {str(each.id) for each in blocked.displaced} == {each["id"] for each in here}
        for booking in here:
            assert await alternatives(alley, booking)
        trips.append(blocking.round_trips)
        removed = await alley.client.delete(
            f"/chain/maintenance-blocks/{blocked.block.id}?expected_version=1", headers=alley.alice
        )
        assert removed.status_code == 204, removed.text
    assert trips[0] == trips[1]


async def test_alternatives_are_what_is_free_with_the_block_there(engine: Engine, alley: House) -> None:
    """Alternatives are never on blocked time, but may be where another displaced booking was."""
    first, second = [
        await alley.booked(start=at("12:00"), duration_minutes=60, resource_ids=alley.ids(*lanes))
        for lanes in (("l1",), ("l2", "l3"))
    ]
    await Blocking(engine, alley).on("l1", "l2", start="10:00", end="23:00")
    blocked = set(alley.ids("l1", "l2"))
    found = await alternatives(alley, first)
    assert {"start": at("12:00"), "end": at("13:00"), "resource_ids": alley.ids("l3")} in found
    for each in [*found, *await alternatives(alley, second)]:
        assert blocked.isdisjoint(each["resource_ids"])


async def test_who_books_there_meanwhile_is_displaced_too(engine: Engine, alley: House) -> None:
    late: list[dict[str, Any]] = []

    async def book() -> None:
        if not late:
            late.append(await alley.booked(start=at("12:00"), resource_ids=alley.ids("l2")))

    blocking = Blocking(engine, alley, book)
    blocked = await blocking.on("l1", "l2")
    assert [str(each.id) for each in blocked.displaced] == [late[0]["id"]]
    assert await alternatives(alley, late[0])
    assert blocking.plans == 2


async def test_a_rule_that_changes_meanwhile_holds(engine: Engine, alley: House) -> None:
    """Adds a unit, which the block has to take as well."""
    resources: list[dict[str, Any]] = [dict(each) for each in alley.document["resources"]]

    async def add_a_unit() -> None:
        if resources[0].get("units", 1) == 1:
            resources[0]["units"] = 2
            await alley.replace({**alley.document, "resources": resources})

    blocking = Blocking(engine, alley, add_a_unit)
    await blocking.on("l1")
    assert blocking.plans == 2
    refused = await alley.book(start=at("12:00"), resource_ids=alley.ids("l1"))
    assert refused.status_code == 409, refused.text


async def test_rules_that_change_all_the_time_hold_as_well(engine: Engine, alley: House) -> None:
    """It takes all units that exist in the end, although the last plan was made with one fewer."""
    resources: list[dict[str, Any]] = [dict(each) for each in alley.document["resources"]]

    async def add_a_unit() -> None:
        resources[0]["units"] = resources[0].get("units", 1) + 1
        await alley.replace({**alley.document, "resources": resources})

    blocking = Blocking(engine, alley, add_a_unit)
    await blocking.on("l1")
    assert (blocking.plans, resources[0]["units"]) == (PLANS_MAX, 1 + PLANS_MAX)
    refused = await alley.book(start=at("12:00"), resource_ids=alley.ids("l1"))
    assert refused.status_code == 409, refused.text


async def test_it_comes_to_an_end_where_somebody_books_there_all_the_time(
    engine: Engine, alley: House
) -> None:
    """The last booking is displaced as well, but there was no time to find alternatives for it."""
    came: list[dict[str, Any]] = []

    async def book() -> None:
        lane = f"l{len(came) + 1}"
        came.append(await alley.booked(start=at("12:00"), resource_ids=alley.ids(lane)))

    blocking = Blocking(engine, alley, book)
    blocked = await blocking.on("l1", "l2", "l3", "l4")
    assert blocking.plans == PLANS_MAX == len(came)
    assert {str(each.id) for each in blocked.displaced} == {each["id"] for each in came}
    assert [bool(await alternatives(alley, each)) for each in came] == [True, True, False]
