"""What the metrics say of how late jobs and events are."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY

from holdfast.event.number import Numberer
from holdfast.job import store
from holdfast.job.run import JOBS
from holdfast.kernel.actor import SYSTEM
from holdfast.main.process import work
from tests.processes import SOON_S, until

from .conftest import Desk, reaction
from .test_run import Failing

MINUTE_S = 60.0


async def lags(desk: Desk) -> tuple[dict[str, float], float]:
    return await desk.db.run(SYSTEM, store.lags)


async def test_the_lag_of_a_lane_is_that_of_its_oldest_job(desk: Desk) -> None:
    desk.react(reaction("one", lane="a"), reaction("two", lane="b"), reaction("three", lane="c"))
    assert (await lags(desk))[0] == {}
    await desk.emit(5)
    for lane, minutes in (("a", 3), ("b", 1)):
        await desk.owner.execute(
            "UPDATE job SET due_at = now() - make_interval(mins => $2)"
            " WHERE id = (SELECT id FROM job WHERE lane = $1 ORDER BY id DESC LIMIT 1)",
            lane,
            minutes,
        )
    await desk.owner.execute("UPDATE job SET due_at = now() + interval '1 hour' WHERE lane = 'c'")
    found, _ = await lags(desk)
    assert found.keys() == {"a", "b", "c"}
    assert 3 * MINUTE_S <= found["a"] < 4 * MINUTE_S
    assert 1 * MINUTE_S <= found["b"] < 2 * MINUTE_S
    assert found["c"] == 0
    # One that is under way is not done.
    await desk.owner.execute(
        "UPDATE job SET leases = 1, leased_until = 'infinity' WHERE due_at < now() - interval '2 minutes'"
    )
    assert (await lags(desk))[0]["a"] >= 3 * MINUTE_S


async def test_the_lag_of_events_is_that_of_the_oldest_without_a_position(desk: Desk) -> None:
    assert (await lags(desk))[1] == 0
    [event] = await desk.emit()
    await desk.owner.execute(
        "UPDATE event SET written_at = now() - interval '2 minutes' WHERE id = $1", event.id
    )
    await desk.emit()
    assert 2 * MINUTE_S <= (await lags(desk))[1] < 3 * MINUTE_S
    await Numberer(desk.db).number()
    assert (await lags(desk))[1] == 0


async def test_a_worker_tells_them_also_when_there_are_none_left(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And although events can't be numbered at the moment."""
    monkeypatch.setattr(work, "LAG_PERIOD_S", 0.01)
    mine = reaction("note", lane="mine")
    desk.react(mine, reaction("gone", lane="gone"))
    await desk.emit()
    ago = "now() - interval '1 minute'"
    await desk.owner.execute(f"UPDATE job SET due_at = {ago}, leases = 1, leased_until = 'infinity'")
    await desk.owner.execute(f"UPDATE event SET written_at = {ago}")

    async def tell(least: float, most: float) -> bool:
        told = [REGISTRY.get_sample_value(name, labels) for name, labels in GAUGES]
        return all(value is not None and least <= value <= most for value in told)

    def fail(self: Numberer) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(Numberer, "number", fail)
        stopping = asyncio.Event()
        running = asyncio.create_task(
            work.run_worker(desk.engine, desk.url, ticks=(), reactions=[mine], stopping=stopping)
        )
        await until(lambda: tell(MINUTE_S, 2 * MINUTE_S))
    await desk.owner.execute("DELETE FROM job")
    await until(lambda: tell(0.0, 0.0))
    stopping.set()
    await asyncio.wait_for(running, SOON_S)


GAUGES = (
    ("holdfast_job_lag_seconds", {"lane": "mine"}),
    ("holdfast_job_lag_seconds", {"lane": "gone"}),
    ("holdfast_event_lag_seconds", {}),
)


async def test_what_became_of_jobs_is_counted(desk: Desk) -> None:
    def counted() -> list[float]:
        return [JOBS.labels("counted", outcome)._value.get() for outcome in ("failed", "done", "dead")]

    before = counted()
    for failures in (1, 100):
        counts = reaction("counted", Failing(failures))
        desk.react(counts)
        await desk.emit()
        async with desk.lane(counts):
            await until(desk.drained)
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [1 + 4, 1, 1]
