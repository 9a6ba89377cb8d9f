"""What Prometheus reads of reactions."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

LAG = Gauge("holdfast_reaction_lag_seconds", "How long the oldest undelivered event has waited.")
DISPATCHED = Counter("holdfast_events_dispatched_total", "Events that the dispatcher has read.")
JOBS = Counter(
    "holdfast_reaction_jobs_total",
    "Jobs run: done, skipped (was delivered), failed (tried again), dead, given_back.",
    ["reaction", "outcome"],
)
