"""The loops of a worker that make events into jobs and run them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog

from holdfast.dispatch.dispatch import BATCH_MAX, DISPATCHER_LOCK, dispatch, lag_s
from holdfast.dispatch.jobs import Jobs
from holdfast.dispatch.metrics import DISPATCHED, LAG
from holdfast.dispatch.reaction import Reaction
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db import Database
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.failure import stack_of
from holdfast.main.worker import DEADLINE_S, pause_s, sleep

POLL_S_MIN = 0.05
POLL_S_MAX = 0.25
"""Between two looks for events: at first, and after some that found none."""
LAG_PERIOD_S = 5.0
STEADY_S = 10.0
"""A runner of jobs that lived this long was well: the next pause is short again."""

log = structlog.get_logger(__name__)


def reaction_loops(
    db: Database, url: str, *, reactions: Sequence[Reaction], jobs: Jobs, stopping: asyncio.Event
) -> list[Coroutine[Any, Any, None]]:
    """What is to be run beside one another until `stopping` is set. `url`: of the database of `db`."""
    names = [reaction.name for reaction in reactions]
    if len(set(names)) < len(names):
        raise ValueError(f"two reactions share a name: {names}")
    return [
        _keep_dispatching(db, reactions, stopping),
        _keep_running(jobs, url, stopping),
        _keep_measuring(db, stopping),
    ]


async def _keep_dispatching(db: Database, reactions: Sequence[Reaction], stopping: asyncio.Event) -> None:
    """In every worker; the dispatcher's lock has one of them do it at a time."""
    idle_s, failures = POLL_S_MIN, 0
    while not stopping.is_set():
        count = 0
        try:
            call = db.call(SYSTEM, try_locks=[DISPATCHER_LOCK], deadline_s=DEADLINE_S)
            count = await call.run(dispatch, reactions, BATCH_MAX)
            DISPATCHED.inc(count)
            failures = 0
        except Exception as error:
            failures += 1
            _tell("dispatch_failed", error, failures)
        idle_s = POLL_S_MIN if count else min(POLL_S_MAX, 2 * idle_s)
        if count < BATCH_MAX:
            await sleep(stopping, pause_s(idle_s, failures))


async def _keep_running(jobs: Jobs, url: str, stopping: asyncio.Event) -> None:
    failures = 0
    while not stopping.is_set():
        started = time.monotonic()
        try:
            await jobs.run(url, stopping)
        except Exception as error:
            failures = 1 if time.monotonic() - started > STEADY_S else failures + 1
            _tell("job_runner_failed", error, failures)
            await sleep(stopping, pause_s(0, failures))


async def _keep_measuring(db: Database, stopping: asyncio.Event) -> None:
    failures = 0
    while not stopping.is_set():
        try:
            LAG.set(await db.run(SYSTEM, lag_s))
            failures = 0
        except Exception as error:
            failures += 1
            _tell("lag_unknown", error, failures)
        await sleep(stopping, LAG_PERIOD_S)


def _tell(event: str, error: Exception, failures: int) -> None:
    # A refusal explains itself; for anything else one needs to know where it came from, but its text may quote data.
    told = {"error": error.detail} if isinstance(error, HoldfastError) else {"stack": stack_of(error)}
    log.error(event, failures=failures, **told)
