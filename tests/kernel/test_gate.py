"""The gate: how many questions at once, which wait for which, and who is refused."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from holdfast.kernel.db.gate import REST_S_MAX, REST_S_MIN, WAITING_MAX, Gate
from holdfast.kernel.db.waiting import request_deadline
from holdfast.kernel.errors import InvalidRequest, Overloaded
from holdfast.kernel.ids import new_id

HERE = new_id()


class Askers:
    """Questions that last until `enough`; `now` and `most` of them at a time."""

    def __init__(self, gate: Gate) -> None:
        self.gate, self.enough = gate, asyncio.Event()
        self.now = self.most = 0

    async def ask(self, place_id: UUID, kind: str = "day") -> None:
        async with self.gate.turn(place_id, kind):
            self.now += 1
            self.most = max(self.most, self.now)
            await self.enough.wait()
            self.now -= 1


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_one_at_a_time_and_one_of_a_kind_for_a_place_in_the_queue() -> None:
    """However many ask about one place, who asks about another is the next but one."""
    gate, order, enough = Gate(lambda: False), list[tuple[str, int]](), asyncio.Event()
    now = most = 0
    other = new_id()

    async def ask(place_id: UUID, kind: str, number: int) -> None:
        nonlocal now, most
        async with gate.turn(place_id, kind):
            now += 1
            most = max(most, now)
            await enough.wait()
            order.append((kind if place_id == HERE else "elsewhere", number))
            await asyncio.sleep(0)
            now -= 1

    async with asyncio.TaskGroup() as asking:
        for number in range(10):
            asking.create_task(ask(HERE, "day", number))
        await settled()
        asking.create_task(ask(HERE, "check", 0))
        asking.create_task(ask(other, "day", 0))
        await settled()
        assert now == 1
        enough.set()
    assert most == 1
    assert order[:4] == [("day", 0), ("check", 0), ("elsewhere", 0), ("day", 1)]
    assert [number for kind, number in order if kind == "day"] == list(range(10))


async def test_more_than_may_wait_are_refused_at_once_and_only_there() -> None:
    askers = Askers(Gate(lambda: False))
    async with asyncio.TaskGroup() as asking:
        for _ in range(WAITING_MAX + 1):  # one of them has its turn
            asking.create_task(askers.ask(HERE))
        await settled()
        for _ in range(3):
            with pytest.raises(Overloaded):
                await askers.ask(HERE)
        asking.create_task(askers.ask(HERE, "month"))  # another kind may wait
        await settled()
        askers.enough.set()
    await askers.ask(HERE)
    assert (askers.now, askers.most) == (0, 1)


async def test_who_waits_too_long_is_refused_and_leaves_no_trace() -> None:
    gate = Gate(lambda: False)
    askers = Askers(gate)
    async with asyncio.TaskGroup() as asking:
        asking.create_task(askers.ask(HERE))
        await settled()
        with request_deadline(0.0), pytest.raises(Overloaded):
            await askers.ask(HERE)
        askers.enough.set()
    await askers.ask(HERE)
    assert (gate._turns, gate._asking) == ({}, {})


async def test_a_question_rests_as_long_as_it_took_while_changes_are_under_way() -> None:
    pauses: list[float] = []
    busy = True

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    gate = Gate(lambda: busy, pause=pause)
    for place in (HERE, HERE, new_id()):
        async with gate.turn(place, "day"):
            pass
    with pytest.raises(InvalidRequest):
        async with gate.turn(HERE, "day"):
            raise InvalidRequest("no")
    assert len(pauses) == 4
    assert all(REST_S_MIN <= each <= REST_S_MAX for each in pauses)
    busy = False
    async with gate.turn(HERE, "day"):
        pass
    assert len(pauses) == 4
