"""For whoever runs the service: whether the process lives, whether it can serve, and what Prometheus reads of it."""

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
    "Time from a request's arrival to the end of its answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
IN_FLIGHT = Gauge("holdfast_http_in_flight", "Requests being worked on, live streams left out.")
POOL_SIZE = Gauge("holdfast_pool_connections", "Connections to the database that are open.")
POOL_IDLE = Gauge("holdfast_pool_connections_idle", "Connections to the database that wait for work.")
WRITER_QUEUE = Gauge("holdfast_booking_writer_queue", "Bookings that wait to be written.")

# Anyone can make up methods; each would be a time series of its own.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

router = APIRouter(tags=["Operations"])


class NotReady(Overloaded):
    """The service can't take requests yet."""


class Probe:
    """Asks the database by a connection of its own, so that a busy pool can't make it look dead."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: asyncpg.Connection | None = None
        self._one_at_a_time = asyncio.Lock()

    async def missing(self) -> str | None:
        """What is not there: `database`, `schema` or None; within ANSWER_TIMEOUT_S."""
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
        """Lets go of the connection; the next question opens another."""
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None


_MISSING = {
    "database": "The database does not answer.",
    "schema": "The database is not migrated: run holdfast migrate.",
}


@router.get("/healthz", summary="Whether the process lives")
async def get_healthz() -> Response:
    """Always 200 while the process can answer at all; asks nobody else."""
    return answer({"status": "alive"})


@router.get("/readyz", summary="Whether it can serve requests")
async def get_readyz(request: Request) -> Response:
    """200 when the database answers and is migrated, or else 503 with `missing`."""
    missing = await request.app.state.probe.missing()
    if missing is not None:
        raise NotReady(_MISSING[missing], missing=[missing])
    return answer({"status": "ready"})


class Tally:
    """Counts requests; finds the time series of each kind once. Belongs to one event loop."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._counters: dict[tuple[str, str, int], Any] = {}
        self._times: dict[str, Any] = {}

    def count(self, *, method: str, route: str, status: int, seconds: float | None) -> None:
        """One request was answered. `route`: its template, of which there must be few. `seconds`: None for what
        lasts as long as the client likes."""
        counter = self._counters.get((method, route, status))
        if counter is None:
            labels = (method if method in _METHODS else "OTHER", route, str(status))
            counter = REQUESTS.labels(*labels)
            if method in _METHODS:
                self._counters[method, route, status] = counter
        counter.inc()
        if seconds is None:
            return
        times = self._times.get(route)
        if times is None:
            times = self._times[route] = SECONDS.labels(route)
        times.observe(seconds)


def watch(state: Any) -> None:
    """The gauges show the pool and the writer (`state.engine`) and the tally of this app."""
    IN_FLIGHT.set_function(lambda: state.tally.in_flight - state.hub.requests)
    live.TAIL_LAG.set_function(lambda: state.hub.tail.lag_s if state.hub.enabled else 0.0)
    POOL_SIZE.set_function(lambda: state.engine.db.pool.get_size())
    POOL_IDLE.set_function(lambda: state.engine.db.pool.get_idle_size())
    WRITER_QUEUE.set_function(lambda: state.engine.waiting)


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
async def get_metrics() -> Response:
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})
