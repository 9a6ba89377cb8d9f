"""All waits of a request end together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from holdfast.kernel import deadline
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db import Database
from holdfast.kernel.deadline import left_s, request_deadline
from holdfast.kernel.errors import Overloaded
from holdfast.kernel.turns import Turns
from holdfast.kernel.tx import Tx

ONE, OTHER = UUID(int=1), UUID(int=2)


async def _in_a_request(work: Callable[[], Awaitable[None]]) -> None:
    with request_deadline():
        await work()


async def _sleep(tx: Tx, seconds: float) -> None:
    await tx.execute(f"SELECT pg_sleep({seconds:f})")


async def test_what_is_no_request_has_its_own_bound() -> None:
    assert left_s(7.5) == 7.5


async def test_the_first_wait_starts_the_clock_and_the_next_gets_what_is_left(
    monkeypatch: pytest.MonkeyPatch, db: Database
) -> None:
    monkeypatch.setattr(deadline, "REQUEST_DEADLINE_S", 0.3)

    async def work() -> None:
        await asyncio.sleep(0.2)  # a body that is slow to come
        assert left_s(0.1) == 0.1
        assert 0.25 < left_s(7.5) <= 0.3
        await db.run(SYSTEM, _sleep, 0.1)
        assert left_s(7.5) <= 0.2
        started = asyncio.get_running_loop().time()
        with pytest.raises(Overloaded):
            await db.run(SYSTEM, _sleep, 10.0)
        assert asyncio.get_running_loop().time() - started < 1.0
        assert left_s(7.5) == 0.0
        with pytest.raises(Overloaded):
            await db.run(SYSTEM, _sleep, 0.0)

    await _in_a_request(work)
    # Whoever goes on in the same task afterwards is no part of the request.
    assert left_s(7.5) == 7.5
    await db.run(SYSTEM, _sleep, 0.0)


async def test_a_turn_is_waited_for_no_longer_than_the_request_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadline, "REQUEST_DEADLINE_S", 0.05)
    turns = Turns(at_once_max=1)

    async def work() -> None:
        for id_ in (ONE, OTHER):
            with pytest.raises(Overloaded):
                async with turns.of(id_):
                    raise AssertionError("it is another's turn")

    async with turns.of(ONE):
        await _in_a_request(work)
    # Those who gave up left nothing behind.
    await asyncio.wait_for(_take(turns, OTHER), 1)


async def _take(turns: Turns, id_: UUID) -> None:
    async with turns.of(id_):
        return
