"""The gate: how many questions at once, which wait for which, and who is refused."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from holdfast.kernel.db import gate as gating
from holdfast.kernel.db import slices
from holdfast.kernel.db.gate import BEGUN_MAX, REST_S_MAX, REST_S_MIN, WAITING_MAX, Gate
from holdfast.kernel.db.tx import request_deadline
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
    """However many ask about one place, who asks about another is next."""
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
    assert order[:4] == [("day", 0), ("elsewhere", 0), ("check", 0), ("day", 1)]
    assert [number for kind, number in order if kind == "day"] == list(range(10))


async def test_between_two_parts_of_a_query_every_other_place_has_a_turn() -> None:
    gate, order, others = Gate(lambda: False), list[str](), [new_id() for _ in range(3)]

    async def ask(place_id: UUID, name: str, parts: int) -> None:
        async with gate.query(place_id, "month") as part:
            for _ in range(parts):
                async with part():
                    order.append(name)
                    await asyncio.sleep(0)

    async with asyncio.TaskGroup() as asking:
        asking.create_task(ask(HERE, "heavy", 10))
        await asyncio.sleep(0)
        for number, each in enumerate(others):
            asking.create_task(ask(each, f"light {number}", 2))
    light = [f"light {number}" for number in range(3)]
    assert len(order) == 16
    for name in light:
        first, second = (at for at, each in enumerate(order) if each == name)
        assert order[:first].count("heavy") <= 2  # one that ran, and one that had begun
        assert order[first:second].count("heavy") <= 1
    assert order[-5:] == ["heavy"] * 5


async def test_a_query_at_one_place_waits_for_the_whole_of_another_of_its_kind_there() -> None:
    gate, order = Gate(lambda: False), list[int]()

    async def ask(number: int) -> None:
        async with gate.query(HERE, "month") as part:
            for _ in range(3):
                async with part():
                    order.append(number)
                    await asyncio.sleep(0)

    await asyncio.gather(*(ask(number) for number in range(3)))
    assert order == [0, 0, 0, 1, 1, 1, 2, 2, 2]


class InTheSameTransaction:
    """Queries of one part, with slices that always end; `order`: whose slice it was."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(slices, "SLICE_S", 0.0)
        monkeypatch.setattr(gating, "TURN_S", 0.0)
        self.gate, self.order = Gate(lambda: False), list[str]()
        self.begun = self.most = 0

    async def ask(self, place_id: UUID, name: str, count: int) -> None:
        async with self.gate.turn(place_id, "day"):
            self.begun += 1
            self.most = max(self.most, self.begun)
            work = slices.Slices()
            for _ in range(count):
                self.order.append(name)
                await work.rest()
            self.begun -= 1


async def test_what_has_begun_takes_turns_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    run = InTheSameTransaction(monkeypatch)
    async with asyncio.TaskGroup() as asking:
        asking.create_task(run.ask(HERE, "heavy", 20))
        asking.create_task(run.ask(new_id(), "light", 3))
        asking.create_task(run.ask(HERE, "same place", 1))
    assert run.order[:6] == ["heavy", "light"] * 3
    assert run.order[-1] == "same place"
    assert run.most == BEGUN_MAX


async def test_no_more_have_begun_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    run = InTheSameTransaction(monkeypatch)
    await asyncio.gather(*(run.ask(new_id(), str(number), 5) for number in range(10)))
    assert run.most == BEGUN_MAX
    assert len(run.order) == 50


async def test_who_goes_away_between_two_slices_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    run = InTheSameTransaction(monkeypatch)
    gone = asyncio.create_task(run.ask(HERE, "gone", 1_000_000))
    other = asyncio.create_task(run.ask(new_id(), "other", 1_000_000))
    await settled()
    assert {"gone", "other"} <= set(run.order)
    for each in (gone, other):
        each.cancel()
        with pytest.raises(asyncio.CancelledError):
            await each
    await run.ask(HERE, "next", 3)
    assert run.order[-3:] == ["next"] * 3
    assert (run.gate._turns, run.gate._asking) == ({}, {})
    assert not run.gate._slice.locked()


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
