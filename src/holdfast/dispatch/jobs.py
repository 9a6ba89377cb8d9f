"""Runs the jobs of reactions, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from uuid import UUID
from weakref import WeakValueDictionary

import asyncpg
import structlog
from pgqueuer.db import AsyncpgDriver
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries

from holdfast.dispatch.deliver import (
    RETRY_S_MIN,
    TAKEN_OVER_MAX,
    VANISHED,
    deliver,
    error_of,
    fail,
    give_up,
    retry_s,
)
from holdfast.dispatch.metrics import JOBS
from holdfast.dispatch.queue import SETTINGS, delivery_of, own_connection, queries_on
from holdfast.dispatch.reaction import Delivery, Reaction, Tools
from holdfast.dispatch.store import TRIES_MAX
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db import Database
from holdfast.kernel.failure import stack_of
from holdfast.kernel.tx import lock_key

AT_ONCE_MAX = 4
"""Jobs that one worker runs at a time; the library wants it twice the batch."""
BATCH = AT_ONCE_MAX // 2
TAKE_OVER_S = 5.0
"""A job whose worker has given no sign of life for so long is another's. It gives one every half of that."""
LOOK_S = 1.0
"""How often the queue is looked at when nobody says that something has come."""
JOB_DEADLINE_S = 10.0
JOB_LOCK = 0x6A6F6273
"""What makes another key of a venue's: that of the turn which jobs of all workers take there."""
FINISH_S = 2.0
"""How long jobs under way may go on after the worker was told to stop; then they are given back."""
HELD_LOOK_S = 30.0
HELD_MAX = 100

log = structlog.get_logger(__name__)


class Jobs:
    """The jobs of these reactions, run by one worker with the connections of `db`.

    `retry_least_s`: how long after its first failure a job is tried again, about.
    """

    def __init__(
        self,
        db: Database,
        reactions: Sequence[Reaction],
        tools: Tools,
        *,
        retry_least_s: float = RETRY_S_MIN,
    ) -> None:
        self._db = db
        self._reactions = reactions
        self._tools = tools
        self._retry_least_s = retry_least_s
        self._under_way: set[asyncio.Timeout] = set()
        self._turns: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def run(self, url: str, stopping: asyncio.Event) -> None:
        """Runs jobs until `stopping` is set; all are finished or given back FINISH_S after that.

        Raises when the database is gone. What was under way then is taken over, by whoever runs the queue
        after TAKE_OVER_S.
        """
        async with own_connection(url) as driver:
            manager = self._manager(driver)
            beside = [
                asyncio.create_task(self._stop(manager, stopping)),
                asyncio.create_task(_put_back(manager.queries)),  # pyright: ignore[reportArgumentType]
            ]
            try:
                await manager.run(
                    dequeue_timeout=timedelta(seconds=LOOK_S),
                    batch_size=BATCH,
                    max_concurrent_tasks=AT_ONCE_MAX,
                    shutdown_on_listener_failure=True,
                    heartbeat_timeout=timedelta(seconds=TAKE_OVER_S),
                    log_aggregation_interval=timedelta(0),
                )
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)

    def _manager(self, driver: AsyncpgDriver) -> QueueManager:
        manager = QueueManager(queries_on(driver), channel=SETTINGS.channel)
        for reaction in self._reactions:
            # "hold": what the library itself fails on stays in the queue, and is put back by us.
            register = manager.entrypoint(reaction.name, accepts_context=False, on_failure="hold")
            register(partial(self._job, reaction))
        return manager

    async def _stop(self, manager: QueueManager, stopping: asyncio.Event) -> None:
        await stopping.wait()
        manager.shutdown.set()
        await asyncio.sleep(FINISH_S)
        for limit in self._under_way:
            limit.reschedule(asyncio.get_running_loop().time())

    async def _job(self, reaction: Reaction, job: Job) -> None:
        delivery = delivery_of(reaction.name, job.payload)
        try:
            async with asyncio.timeout(None) as limit:
                self._under_way.add(limit)
                try:
                    outcome, again_s = await self._try_unless_fatal(reaction, delivery, job)
                finally:
                    self._under_way.discard(limit)
        except (TimeoutError, asyncio.CancelledError):
            # To let a cancellation through would have the library throw the job away.
            outcome, again_s = "given_back", 0.0
        JOBS.labels(reaction.name, outcome).inc()
        if again_s is not None:
            raise RetryRequested(timedelta(seconds=again_s), outcome) from None

    async def _try_unless_fatal(
        self, reaction: Reaction, delivery: Delivery, job: Job
    ) -> tuple[str, float | None]:
        # One that is young was not taken over yet, let alone so often: that spares the question.
        if job.updated - job.created > TAKEN_OVER_MAX * timedelta(seconds=TAKE_OVER_S):
            asking = self._db.call(SYSTEM, tenants=[delivery.tenant_id], deadline_s=JOB_DEADLINE_S)
            try:
                is_dead = await asking.run(give_up, delivery, job.id)
            except Exception as error:
                _tell(delivery, error, "reaction_takeovers_not_counted")
                return "given_back", self._retry_least_s
            if is_dead:
                log.error("reaction_dead", error=VANISHED, **_about(delivery))
                return "dead", None
        return await self._try(reaction, delivery)

    async def _try(self, reaction: Reaction, delivery: Delivery) -> tuple[str, float | None]:
        """What became of it, and in how many seconds to try again; None: it is finished."""
        tenants = [delivery.tenant_id]
        locks, turn = [], nullcontext()
        if delivery.venue_id is not None:
            # However many workers there are, one job of a venue waits for the lock that bookings there need too.
            key = lock_key(delivery.venue_id)
            locks = [key ^ JOB_LOCK, key]
            turn = self._turns.setdefault(delivery.venue_id, asyncio.Lock())
        call = self._db.call(SYSTEM, tenants=tenants, locks=locks, deadline_s=JOB_DEADLINE_S)
        try:
            async with turn:
                done = await call.run(deliver, reaction, self._tools, delivery)
            return ("done" if done else "skipped"), None
        except Exception as error:
            failure = error
        noting = self._db.call(SYSTEM, tenants=tenants, deadline_s=JOB_DEADLINE_S)
        try:
            failures = await noting.run(fail, delivery, error_of(failure))
        except Exception as error:
            # The database is gone, most likely: that is not the reaction's failure, so it does not count.
            _tell(delivery, error, "reaction_failure_not_noted")
            return "given_back", self._retry_least_s
        if not failures:
            return "skipped", None
        is_dead = failures >= TRIES_MAX
        _tell(delivery, failure, "reaction_dead" if is_dead else "reaction_failed", failures=failures)
        return ("dead", None) if is_dead else ("failed", retry_s(failures, least_s=self._retry_least_s))


async def _put_back(queries: Queries) -> None:
    """What the library holds as failed goes back into the queue: that happens when the database goes away
    between a job's end and the note of it."""
    while True:
        try:
            held = await queries.list_failed_jobs(HELD_MAX, "ASC")
            await queries.requeue_jobs([job.id for job in held])
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return  # The runner notices it as well, and begins anew.
        await asyncio.sleep(HELD_LOOK_S)


def _tell(delivery: Delivery, error: Exception, event: str, **more: int) -> None:
    log.error(event, stack=stack_of(error), **_about(delivery), **more)


def _about(delivery: Delivery) -> dict[str, str]:
    return {
        "reaction": delivery.reaction,
        "event_id": str(delivery.event_id),
        "tenant_id": str(delivery.tenant_id),
    }
