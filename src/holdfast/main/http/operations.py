"""For operators: liveness, readiness and Prometheus metrics."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from holdfast.kernel.errors import Overloaded
from holdfast.kernel.http import answer
from holdfast.live import metrics as live

ANSWER_TIMEOUT_S = 1.0
NAME = {"application_name": "holdfast readyz"}

REQUESTS = Counter("holdfast_http_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "holdfast_http_seconds",
    "Time from a request's arrival to the end of its response.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
IN_FLIGHT = Gauge("holdfast_http_in_flight", "Requests in progress, without live streams.")
POOL_SIZE = Gauge("holdfast_pool_connections", "Open database connections.")
POOL_IDLE = Gauge("holdfast_pool_connections_idle", "Idle database connections.")
WRITER_QUEUE = Gauge("holdfast_booking_writer_queue", "Bookings waiting to be written.")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Clients can invent methods; each would become a separate time series."""

router = APIRouter(tags=["Operations"])


class NotReady(Overloaded):
    """The service can't take requests yet."""


class Probe:
    """Checks the database over a separate connection, so that a busy pool does not look like a dead database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: asyncpg.Connection | None = None
        self._one_at_a_time = asyncio.Lock()

    async def missing(self) -> str | None:
        """Returns what is missing, within ANSWER_TIMEOUT_S: `database`, `schema`, or None."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S), self._one_at_a_time:
                migrated = await self._ask()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self.close()
            return "database"
        return None if migrated else "schema"

    async def _ask(self) -> bool:
        conn = self._conn
        if conn is None or conn.is_closed():
            conn = self._conn = await asyncpg.connect(self._url, server_settings=NAME)
        return bool(await conn.fetchval("SELECT to_regclass('booking') IS NOT NULL"))

    def close(self) -> None:
        """Closes the connection; the next check opens another."""
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None


_MISSING = {
    "database": "The database does not answer.",
    "schema": "The database is not migrated: run holdfast migrate.",
}


@router.get("/healthz", operation_id="get_liveness", summary="Liveness")
async def get_healthz() -> Response:
    """Always 200 while the process can respond at all; checks nothing else."""
    return answer({"status": "alive"})


@router.get("/readyz", operation_id="get_readiness", summary="Readiness")
async def get_readyz(request: Request) -> Response:
    """200 if the database responds and is migrated, otherwise 503 with `missing`."""
    missing = await request.app.state.probe.missing()
    if missing is not None:
        raise NotReady(_MISSING[missing], missing=[missing])
    return answer({"status": "ready"})


def watch(state: Any) -> None:
    """Connects the gauges to this application's pool, writer and tally."""
    IN_FLIGHT.set_function(lambda: state.tally.in_flight - state.hub.requests)
    live.TAIL_LAG.set_function(lambda: state.hub.tail.lag_s if state.hub.enabled else 0.0)
    POOL_SIZE.set_function(lambda: state.engine.db.pool.get_size())
    POOL_IDLE.set_function(lambda: state.engine.db.pool.get_idle_size())
    WRITER_QUEUE.set_function(lambda: state.engine.waiting)


@router.get("/metrics", operation_id="get_metrics", summary="Metrics for Prometheus", response_class=Response)
async def get_metrics() -> Response:
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})
