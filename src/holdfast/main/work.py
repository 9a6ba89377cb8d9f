"""`holdfast work`: the worker as a process."""

from __future__ import annotations

import asyncio
import signal

import structlog

from holdfast.kernel.config import Settings
from holdfast.main.database import open_database
from holdfast.main.worker import run_ticks

log = structlog.get_logger(__name__)


async def work(settings: Settings) -> None:
    """Runs the ticks until SIGTERM or SIGINT, then finishes what is under way."""
    from holdfast.main.ticks import TICKS

    stopping = asyncio.Event()
    async with open_database(settings) as database:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        log.info("worker_starts", ticks=[tick.name for tick in TICKS])
        await run_ticks(database, TICKS, stopping)
    log.info("worker_stopped")
