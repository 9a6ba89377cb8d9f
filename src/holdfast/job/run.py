"""Runs the jobs of one lane until the worker stops."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog
from prometheus_client import Counter

from holdfast.engine import Engine
from holdfast.job import store
from holdfast.job.model import TRIES_MAX, Job
from holdfast.job.reaction import TRANSACTION_S_MAX, Reaction
from holdfast.job.store import LeaseLost
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.failure import reason

AT_ONCE_MAX = 4
"""Jobs of a lane that one worker runs at a time. Each may use a connection, and renewing leases uses one more."""
LEASE_S = 5.0
"""How long a lease lasts; then another worker may take the job. A worker renews it every third of that time."""
JOB_S_MAX = 60.0
"""A job that takes longer counts as failed."""
POLL_S_MIN, POLL_S_MAX = 0.02, 0.25
"""Pause between two polls for jobs: after one was found, and after many that found none."""
BACK_OFF_S_MAX = 5.0
FINISH_S = 2.0
"""How long running jobs may go on after the stop signal; then they are given back."""
RETRY_S_MIN = 1.0
RETRY_FACTOR = 4.0
JITTER = 0.5
VANISHED_MAX = 10
"""How many workers may vanish while running a job before it becomes a dead letter."""
ERROR_CHARS_MAX = 300

JOBS = Counter(
    "holdfast_jobs_total",
    "Jobs run, by outcome: done, failed (will be retried), dead, given_back, lost (to another worker).",
    ["reaction", "outcome"],
)
log = structlog.get_logger(__name__)


class Runner:
    """Runs the jobs of one lane's reactions, with the connections of `engine`, which other lanes should not share.

    `retry_least_s`: the approximate delay before the first retry. `job_s_max`: a job that takes longer counts as
    failed.
    `finish_s`: how long running jobs may go on after the stop signal.
    """

    def __init__(
        self,
        name: str,
        engine: Engine,
        reactions: Sequence[Reaction],
        *,
        lease_s: float = LEASE_S,
        retry_least_s: float = RETRY_S_MIN,
        job_s_max: float = JOB_S_MAX,
        finish_s: float = FINISH_S,
    ) -> None:
        self.name = name
        self._engine = engine
        self._reactions = {each.name: each for each in reactions if each.lane == name}
        self._lease_s = lease_s
        self._retry_least_s = retry_least_s
        self._job_s_max = job_s_max
        self._finish_s = finish_s

    async def run(self, stopping: asyncio.Event) -> None:
        """Runs up to AT_ONCE_MAX jobs at a time until `stopping` is set, then finishes them or gives them back."""
        slots = [asyncio.create_task(self._keep_working(stopping)) for _ in range(AT_ONCE_MAX)]
        try:
            await stopping.wait()
            await asyncio.wait(slots, timeout=self._finish_s)
        finally:
            for slot in slots:
                slot.cancel()
            await asyncio.gather(*slots, return_exceptions=True)

    async def _keep_working(self, stopping: asyncio.Event) -> None:
        pause_s, failures = POLL_S_MIN, 0
        while not stopping.is_set():
            try:
                call = self._engine.db.call(SYSTEM, deadline_s=TRANSACTION_S_MAX)
                job = await call.run(store.take, self.name, list(self._reactions), lease_s=self._lease_s)
                failures = 0
            except LeaseLost:
                job = None
            except Exception as error:
                failures += 1
                log.error("jobs_not_taken", lane=self.name, failures=failures, **reason(error))
                job = None
            if job is not None:
                await self._work(job)
                pause_s = POLL_S_MIN
                continue
            pause_s = min(2 * pause_s, BACK_OFF_S_MAX if failures else POLL_S_MAX)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause_s * random.uniform(1 - JITTER, 1))

    async def _work(self, job: Job) -> None:
        try:
            outcome = await self._outcome(job)
        except LeaseLost:
            log.warning("job_lost", **_about(job))
            outcome = "lost"
        except asyncio.CancelledError:
            JOBS.labels(job.reaction, "given_back").inc()
            with suppress(Exception):
                await self._noted(store.give_back, job)
            raise
        except Exception as error:
            # Most likely the database is gone. That is not the job's failure, so it does not count as one.
            log.error("job_outcome_not_noted", **_about(job), **reason(error))
            outcome = "given_back"
        JOBS.labels(job.reaction, outcome).inc()

    async def _outcome(self, job: Job) -> str:
        """Runs the job, records the outcome and returns it. Raises LeaseLost, and errors of the recording."""
        if job.vanished >= VANISHED_MAX:
            # A job that crashes its process records no failure.
            await self._noted(store.bury, job, attempts=job.vanished, error="WorkerVanished")
            log.error("job_dead", error="WorkerVanished", **_about(job))
            return "dead"
        try:
            await self._handled(job)
            return "done"
        except LeaseLost:
            raise
        except Exception as error:
            failure = error
        failures = job.failures + 1
        is_dead = failures >= TRIES_MAX
        if is_dead:
            await self._noted(store.bury, job, attempts=failures, error=error_of(failure))
        else:
            await self._noted(store.fail, job, retry_s=retry_s(failures, least_s=self._retry_least_s))
        log.error(
            "job_dead" if is_dead else "job_failed", failures=failures, **_about(job), **reason(failure)
        )
        return "dead" if is_dead else "failed"

    async def _handled(self, job: Job) -> None:
        """Runs the reaction while renewing the lease; stops it if the lease is lost."""
        finished = False

        async def finish(tx: Tx) -> None:
            nonlocal finished
            await store.finish(tx, job)
            finished = True

        handle = self._reactions[job.reaction].handle
        working = asyncio.ensure_future(handle(self._engine, job.event, finish))
        renewing = asyncio.ensure_future(self._keep_lease(job))
        try:
            async with asyncio.timeout(self._job_s_max):
                await asyncio.wait([working, renewing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, renewing):
                task.cancel()
            done = await asyncio.gather(working, renewing, return_exceptions=True)
        for outcome in done:
            if isinstance(outcome, Exception):
                raise outcome
        if working.cancelled():
            raise RuntimeError("the reaction was cancelled by something it awaited")
        if not finished:
            await self._noted(store.finish, job)

    async def _keep_lease(self, job: Job) -> None:
        """Renews the lease until cancelled. Raises LeaseLost."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            try:
                await self._noted(store.renew, job, lease_s=self._lease_s)
            except HoldfastError:
                continue  # the database may be back before the lease expires; if not, `finish` detects the loss

    async def _noted(self, verb: Callable[..., Awaitable[None]], job: Job, **how: Any) -> None:
        call = self._engine.db.call(SYSTEM, tenants=[job.event.tenant_id], deadline_s=TRANSACTION_S_MAX)
        await call.run(verb, job, **how)


def retry_s(failures: int, *, least_s: float = RETRY_S_MIN) -> float:
    """Returns the seconds until the next try: 1, 4, 16, 64, give or take half."""
    return least_s * RETRY_FACTOR ** (failures - 1) * random.uniform(1 - JITTER, 1 + JITTER)


def error_of(error: Exception) -> str:
    """Returns the type of error and its place in the code, without its message, which may quote personal data."""
    if isinstance(error, HoldfastError):
        kind = error.code
    else:
        known = [getattr(error, name, None) for name in ("sqlstate", "constraint_name")]
        kind = " ".join([type(error).__name__, *(each for each in known if isinstance(each, str))])
    frames = traceback.extract_tb(error.__traceback__)
    return f"{kind} in {frames[-1].name}"[:ERROR_CHARS_MAX] if frames else kind[:ERROR_CHARS_MAX]


def _about(job: Job) -> dict[str, str]:
    return {
        "reaction": job.reaction,
        "job_id": str(job.id),
        "event_id": str(job.event.id),
        "tenant_id": str(job.event.tenant_id),
    }
