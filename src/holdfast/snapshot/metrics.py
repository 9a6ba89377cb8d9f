"""Metrics of snapshots and their caches."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

SNAPSHOTS = Counter(
    "holdfast_live_snapshots_total",
    "Snapshots served, by source: memory, redis, database.",
    ["source"],
)
REDIS_SECONDS = Histogram(
    "holdfast_redis_seconds",
    "Duration of Redis operations.",
    ["operation"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
)
REDIS_FAILURES = Counter(
    "holdfast_redis_failures_total", "Redis operations that failed.", ["operation", "error"]
)
