"""`holdfast work`: the worker as a process."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence

import structlog
from prometheus_client import start_http_server

from holdfast.dispatch.jobs import Jobs
from holdfast.dispatch.reaction import Reaction, Tools
from holdfast.kernel.config import Settings
from holdfast.kernel.db import Database
from holdfast.main.database import find_database
from holdfast.main.outcome import Failed
from holdfast.main.run_reactions import reaction_loops
from holdfast.main.tick import Tick
from holdfast.main.worker import run_loops, tick_loops
from holdfast.place.places import Places
from holdfast.port.pricing import LocalPricing

log = structlog.get_logger(__name__)


async def work(settings: Settings) -> None:
    """Runs ticks and reactions until SIGTERM or SIGINT, then finishes what is under way."""
    from holdfast.main.reactions import REACTIONS
    from holdfast.main.ticks import all_ticks

    stopping = asyncio.Event()
    async with find_database(settings) as url:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        database = await Database.connect(url, pool_max=settings.pool_max)
        stop_telling = tell_metrics(settings)
        try:
            tools = Tools(Places(database), LocalPricing())
            await run_worker(
                database, url, tools, ticks=all_ticks(tools), reactions=REACTIONS, stopping=stopping
            )
        finally:
            stop_telling()
            await database.close()
    log.info("worker_stopped")


def tell_metrics(settings: Settings) -> Callable[[], None]:
    """Answers with the worker's metrics on a port of its own, if it is to; what is returned ends that."""
    if settings.worker_metrics_port is None:
        return lambda: None
    try:
        server, thread = start_http_server(settings.worker_metrics_port, addr=settings.host)
    except OSError as error:
        raise Failed(
            f"The worker can't answer with metrics on {settings.host}:{settings.worker_metrics_port}: "
            f"{error.strerror}. Set HOLDFAST_WORKER_METRICS_PORT to a port that is free."
        ) from None
    log.info("worker_metrics", port=server.server_port)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


async def run_worker(
    db: Database,
    url: str,
    tools: Tools,
    *,
    ticks: Sequence[Tick],
    reactions: Sequence[Reaction],
    stopping: asyncio.Event,
) -> None:
    """Runs all that happens by itself until `stopping` is set, and then for 3 s at most. `url`: of the
    database of `db`."""
    log.info(
        "worker_starts",
        ticks=[tick.name for tick in ticks],
        reactions=[reaction.name for reaction in reactions],
    )
    jobs = Jobs(db, reactions, tools)
    reacting = reaction_loops(db, url, reactions=reactions, jobs=jobs, stopping=stopping)
    await run_loops([*tick_loops(db, ticks, stopping), *reacting], stopping)
