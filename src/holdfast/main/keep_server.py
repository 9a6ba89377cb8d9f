"""Keeps the embedded server alive."""

from __future__ import annotations

import asyncio

import structlog

from holdfast.kernel.embedded import EmbeddedPostgres, EmbeddedPostgresError, Server
from holdfast.kernel.embedded.watch import is_server
from holdfast.main.database import in_thread

LOOK_EVERY_S = 0.25
RETRY_S_MIN = 0.5
RETRY_S_MAX = 5.0

log = structlog.get_logger(__name__)


async def keep_server(postgres: EmbeddedPostgres, server: Server) -> None:
    """Starts the server again, under the same URL, whenever its process has ended; until cancelled.

    What it had committed is there: PostgreSQL recovers it from its log.
    """
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if not is_server(server.pid, postgres.layout.cluster):
            log.error("database_ended", pid=server.pid)
            server = await _started(postgres)
            log.info("database_is_back", pid=server.pid)


async def _started(postgres: EmbeddedPostgres) -> Server:
    pause_s = RETRY_S_MIN
    while True:
        try:
            return await in_thread(postgres.start)
        except (EmbeddedPostgresError, OSError) as error:
            log.error("database_does_not_start", error=str(error), retry_in_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, RETRY_S_MAX)
