"""The loops that run the ticks until the worker stops."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Sequence
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter

from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.errors import Overloaded
from holdfast.kernel.failure import reason
from holdfast.main.ticks import Round, Tick

DEADLINE_S = 10.0
BACK_OFF_S_MIN = 0.5
BACK_OFF_S_MAX = 30.0
JITTER = 0.2
FINISH_TIMEOUT_S = 3.0
"""How long a loop may go on after the stop signal; then its transaction is rolled back."""

ROWS = Counter("holdfast_tick_rows_total", "Rows that ticks have handled.", ["tick"])
RUNS = Counter("holdfast_tick_runs_total", "Transactions of ticks, by outcome.", ["tick", "outcome"])

log = structlog.get_logger(__name__)


def tick_loops(
    engine: Engine, ticks: Sequence[Tick | Round], stopping: asyncio.Event
) -> list[Coroutine[Any, Any, None]]:
    """Returns a loop for each tick that runs it periodically and ends soon after `stopping` is set."""
    return [_keep(engine, tick, stopping) for tick in ticks]


async def run_loops(loops: Sequence[Coroutine[Any, Any, None]], stopping: asyncio.Event) -> None:
    """Runs the loops concurrently until `stopping` is set, then waits FINISH_TIMEOUT_S for them to end."""
    running = [asyncio.create_task(loop) for loop in loops]
    try:
        await stopping.wait()
        if running:
            await asyncio.wait(running, timeout=FINISH_TIMEOUT_S)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _keep(engine: Engine, tick: Tick | Round, stopping: asyncio.Event) -> None:
    failures = 0
    while not stopping.is_set():
        try:
            if isinstance(tick, Tick):
                await _rounds(engine, tick, stopping)
            else:
                _count(tick, await tick.run(engine))
            failures = 0
        except Exception as error:
            failures += 1
            _tell(tick, error, failures)
        await sleep(stopping, pause_s(tick.period_s, failures))


async def _rounds(engine: Engine, tick: Tick, stopping: asyncio.Event) -> None:
    """Runs batches until one is not full, which drains the backlog."""
    handled = tick.batch
    while handled >= tick.batch and not stopping.is_set():
        if tick.tenants is None:
            handled = await _batch(engine, tick)
        else:
            found = await engine.db.call(SYSTEM, deadline_s=DEADLINE_S).run(tick.tenants, tick.batch)
            handled = sum([await _batch_of(engine, tick, tenant_id) for tenant_id in found])
            if not found:
                _count(tick, 0)  # it ran, but there was nothing to do


async def _batch_of(engine: Engine, tick: Tick, tenant_id: UUID) -> int:
    """One tenant's batch. An overload that affects it does not stop the other tenants."""
    try:
        return await _batch(engine, tick, tenants=[tenant_id])
    except Overloaded as error:
        _tell(tick, error, 1)
        return 0


async def _batch(engine: Engine, tick: Tick, **knobs: Any) -> int:
    handled = await engine.db.call(SYSTEM, deadline_s=DEADLINE_S, **knobs).run(tick.verb, tick.batch)
    _count(tick, handled)
    return handled


def _count(tick: Tick | Round, handled: int) -> None:
    ROWS.labels(tick.name).inc(handled)
    RUNS.labels(tick.name, "done").inc()


def pause_s(period_s: float, failures: int) -> float:
    """Returns the seconds to wait after a run: the period, or after consecutive failures 0.5 s, 1 s, 2 s ... 30 s."""
    back_off_s = min(BACK_OFF_S_MAX, BACK_OFF_S_MIN * 2 ** min(failures - 1, 16))
    return (back_off_s if failures else period_s) * random.uniform(1 - JITTER, 1 + JITTER)


def _tell(tick: Tick | Round, error: Exception, failures: int) -> None:
    RUNS.labels(tick.name, "failed").inc()
    log.error("tick_failed", tick=tick.name, failures=failures, **reason(error))


async def sleep(stopping: asyncio.Event, seconds: float) -> None:
    """Waits for that time, or until `stopping` is set."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
