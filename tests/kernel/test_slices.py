"""Slices: work that gives way pauses for longer than it took, while something that matters more is under way."""

from __future__ import annotations

import time

import pytest

from holdfast.kernel.db import slices
from holdfast.kernel.db.gate import Gate
from holdfast.kernel.db.slices import PAUSE_S_MAX, PAUSE_TIMES, SLICE_S, Slices
from holdfast.kernel.ids import new_id


def work_a_while() -> None:
    time.sleep(2 * SLICE_S)


async def test_what_has_a_turn_at_the_gate_pauses_while_changes_are_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    busy = False

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def worked() -> float:
        work = Slices()
        work_a_while()
        assert await work.rest()
        return pauses.pop()

    monkeypatch.setattr(slices.asyncio, "sleep", sleep)
    gate = Gate(lambda: busy, pause=sleep)
    async with gate.turn(new_id(), "day"):
        assert await worked() == 0
        busy = True
        assert PAUSE_TIMES * 2 * SLICE_S <= await worked() <= PAUSE_S_MAX
    assert pauses.pop() > 0  # the gate's own
    assert await worked() == 0
