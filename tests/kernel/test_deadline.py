"""All waits of a request end together."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from holdfast.engine import Turns
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db import tx
from holdfast.kernel.db.database import Bounds, Database
from holdfast.kernel.db.tx import REQUEST_DEADLINE_S, Tx, left_s, part_s, request_deadline
from holdfast.kernel.errors import Overloaded
from tests.processes import PATIENT_S

ONE = UUID(int=1)


class Clock:
    """Stands until it is turned."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(tx, "time", clock)
    return clock


async def _sleep(tx: Tx, seconds: float) -> None:
    await tx.execute(f"SELECT pg_sleep({seconds:f})")


async def test_what_is_no_request_has_its_own_bound() -> None:
    assert left_s(7.5) == part_s(7.5) == 7.5


async def test_the_first_wait_starts_the_clock_and_the_next_gets_what_is_left(clock: Clock) -> None:
    with request_deadline(3.0):
        clock.at += 100  # a body that is slow to come
        assert left_s(0.5) == 0.5
        assert left_s(7.5) == 3.0
        clock.at += 2
        assert left_s(0.5) == 0.5
        assert left_s(7.5) == 1.0
        clock.at += 2
        assert left_s(0.5) == left_s(7.5) == 0.0
    # Whoever goes on in the same task afterwards is no part of the request.
    assert left_s(7.5) == 7.5


@pytest.mark.parametrize("times", [0.5, 1, 30])
async def test_a_wait_has_the_same_part_of_a_shorter_and_of_a_longer_request(
    clock: Clock, times: float
) -> None:
    with request_deadline(REQUEST_DEADLINE_S * times):
        assert part_s(1.5) == pytest.approx(1.5 * times)
        clock.at += 1.5 * times
        assert part_s(1.5) == pytest.approx((REQUEST_DEADLINE_S - 1.5) * times)


async def test_the_database_is_waited_for_no_longer_than_the_request_lasts(
    clock: Clock, db: Database
) -> None:
    with request_deadline(0.2):
        with pytest.raises(Overloaded):
            await db.run(SYSTEM, _sleep, PATIENT_S)
        clock.at += 1
        with pytest.raises(Overloaded):
            await db.run(SYSTEM, _sleep, 0.0)
    await db.run(SYSTEM, _sleep, 0.0)


async def test_a_database_bounds_what_is_no_request(database_url: str) -> None:
    db = await Database.connect(database_url, deadline_s=0.2)
    with pytest.raises(Overloaded):
        await db.run(SYSTEM, _sleep, PATIENT_S)
    await db.close()


def test_the_bounds_of_a_transaction_are_in_proportion_and_only_a_lock_gets_less() -> None:
    usual = Bounds()
    assert Bounds.within(REQUEST_DEADLINE_S) == usual
    assert Bounds.within(REQUEST_DEADLINE_S * 10) == Bounds(50_000, 10_000, 100_000)
    assert Bounds.within(REQUEST_DEADLINE_S / 10) == replace(usual, lock_ms=100)


async def test_a_turn_is_waited_for_no_longer_than_the_request_lasts() -> None:
    turns = Turns()
    async with turns.of(ONE):
        with request_deadline(0.05):
            for _ in range(2):
                with pytest.raises(Overloaded):
                    async with turns.of(ONE):
                        raise AssertionError("it is another's turn")
    # Those who gave up left nothing behind.
    await asyncio.wait_for(_take(turns, ONE), PATIENT_S)


async def _take(turns: Turns, id_: UUID) -> None:
    async with turns.of(id_):
        return
