"""What Prometheus reads of the HTTP side, the pool and the booking writer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from holdfast.live import metrics as live

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
