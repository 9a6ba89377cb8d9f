"""Metrics of the kernel, and how log lines are written."""

from __future__ import annotations

import logging
import sys

import orjson
import structlog
from prometheus_client import Counter, Histogram

TRANSACTION_SECONDS = Histogram(
    "holdfast_transaction_seconds",
    "Time of a verb with its transaction, retries included.",
    ["verb"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
)
RETRIES = Counter(
    "holdfast_transaction_retries_total", "Transactions run again, by reason.", ["verb", "reason"]
)


def configure_logging(*, level: str = "INFO") -> None:
    """JSON lines on stderr: event, level, timestamp (UTC) and what the context carries."""
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(file=sys.stderr.buffer),
    )
