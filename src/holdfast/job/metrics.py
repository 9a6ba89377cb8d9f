"""What Prometheus reads of jobs."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

LAG = Gauge("holdfast_job_lag_seconds", "For how long the job that is due longest has been due.", ["lane"])
EVENT_LAG = Gauge(
    "holdfast_event_lag_seconds", "For how long the oldest event without a position has been there."
)
JOBS = Counter(
    "holdfast_jobs_total",
    "Jobs run: done, failed (tried again), dead, given_back, lost (to another worker).",
    ["reaction", "outcome"],
)
