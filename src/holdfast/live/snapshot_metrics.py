"""What Prometheus reads of snapshots, their caches and what the auditor finds."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

SNAPSHOTS = Counter(
    "holdfast_live_snapshots_total",
    "Snapshots answered, by where they came from: memory, redis, database.",
    ["source"],
)
REDIS_SECONDS = Histogram(
    "holdfast_redis_seconds",
    "Time of an operation on Redis.",
    ["operation"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
)
REDIS_FAILURES = Counter(
    "holdfast_redis_failures_total", "Operations on Redis that failed.", ["operation", "error"]
)
AUDITED = Counter(
    "holdfast_live_audited_total",
    "Channels audited, by outcome: agrees, differs, unknown (it could not be told).",
    ["outcome"],
)
MISMATCHES = Counter(
    "holdfast_live_mismatches_total",
    "Sections whose snapshot is not what the stream says, and gaps in versions.",
)
