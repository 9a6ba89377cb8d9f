"""`holdfast work`: runs the worker."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager

import structlog
from prometheus_client import Gauge, start_http_server

from holdfast.engine import Engine
from holdfast.event.number import Numberer
from holdfast.job import store
from holdfast.job.reaction import Reaction
from holdfast.job.run import AT_ONCE_MAX, Runner
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.config import Settings
from holdfast.kernel.db.database import Database
from holdfast.kernel.failure import reason
from holdfast.main.process.database import find_database
from holdfast.main.process.drop import drop_root
from holdfast.main.process.outcome import Failed
from holdfast.main.process.worker import Round, Tick, run_loops, sleep, tick_loops
from holdfast.main.reactions import REACTIONS, engine_over

LAG_PERIOD_S = 5.0
LAG = Gauge("holdfast_job_lag_seconds", "How long the most overdue job has been due.", ["lane"])
EVENT_LAG = Gauge("holdfast_event_lag_seconds", "Age of the oldest event without a position.")

log = structlog.get_logger(__name__)


async def work(settings: Settings) -> None:
    """Runs ticks and jobs until SIGTERM or SIGINT, then finishes the work in progress.

    As root it needs a `database_url`: it takes the port for its metrics, then drops root.
    """
    from holdfast.main.ticks import ROUNDS, TICKS

    stopping = asyncio.Event()
    async with AsyncExitStack() as held:
        held.enter_context(metrics_answered(settings))
        drop_root()
        url = await held.enter_async_context(find_database(settings))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        database = await Database.connect(
            url, pool_max=settings.pool_max, deadline_s=settings.request_deadline_s
        )
        held.push_async_callback(database.close)
        ticks = (*TICKS, *ROUNDS)
        await run_worker(engine_over(database), url, ticks=ticks, reactions=REACTIONS, stopping=stopping)
    log.info("worker_stopped")


@contextmanager
def metrics_answered(settings: Settings) -> Iterator[None]:
    """Serves the worker's metrics for the block, on their own port, if the settings name one."""
    if settings.worker_metrics_port is None:
        yield
        return
    try:
        server, thread = start_http_server(settings.worker_metrics_port, addr=settings.host)
    except OSError as error:
        raise Failed(
            f"The worker can't serve its metrics on {settings.host}:{settings.worker_metrics_port}: "
            f"{error.strerror}. Set HOLDFAST_WORKER_METRICS_PORT to a free port."
        ) from None
    log.info("worker_metrics", port=server.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def run_worker(
    engine: Engine,
    url: str,
    *,
    ticks: Sequence[Tick | Round],
    reactions: Sequence[Reaction],
    stopping: asyncio.Event,
) -> None:
    """Runs ticks, reactions and measurements until `stopping` is set, then for 3 s at most. `url`: of the engine's
    database. Each lane has its own connections, so that none waits for another."""
    log.info(
        "worker_starts",
        ticks=[tick.name for tick in ticks],
        reactions=[reaction.name for reaction in reactions],
    )
    async with AsyncExitStack() as lanes:
        names = dict.fromkeys(reaction.lane for reaction in reactions)
        running = [*tick_loops(engine, ticks, stopping), _keep_measuring(engine.db, stopping, names)]
        for name in names:
            own = await Database.connect(url, pool_max=AT_ONCE_MAX + 1)
            lanes.push_async_callback(own.close)
            running.append(Runner(name, engine.over(own), reactions).run(stopping))
        await run_loops(running, stopping)


async def _keep_measuring(db: Database, stopping: asyncio.Event, lanes: Iterable[str]) -> None:
    """Measures every LAG_PERIOD_S how late jobs and events are. Also numbers events, in case nobody reads them."""
    numberer, seen = Numberer(db), set(lanes)
    while not stopping.is_set():
        try:
            await numberer.number()
        except Exception as error:
            log.error("events_not_numbered", **reason(error))
        try:
            lags, events_s = await db.run(SYSTEM, store.lags)
            seen |= lags.keys()
            for lane in seen:
                LAG.labels(lane).set(lags.get(lane, 0.0))
            EVENT_LAG.set(events_s)
        except Exception as error:
            log.error("lag_unknown", **reason(error))
        await sleep(stopping, LAG_PERIOD_S)
