"""Metrics of the kernel, and how log lines are written."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextvars import ContextVar
from typing import Any, BinaryIO

import orjson
import structlog
from prometheus_client import Counter, Histogram
from structlog.typing import EventDict

TRANSACTION_SECONDS = Histogram(
    "holdfast_transaction_seconds",
    "Time of a verb with its transaction, retries included.",
    ["verb"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
)
RETRIES = Counter(
    "holdfast_transaction_retries_total", "Transactions run again, by reason.", ["verb", "reason"]
)
ROUND_TRIPS = Counter("holdfast_db_round_trips_total", "Statements sent to the database and waited for.")


CONTEXT: ContextVar[dict[str, str]] = ContextVar("log_context", default={})  # noqa: B039  # never changed
"""What every log line of the work in hand carries: `request_id`, `trace_id`. Set as a whole, read by all."""


def merge_context(_logger: Any, _level: str, event: EventDict) -> EventDict:
    """The processor that adds CONTEXT to a line."""
    return {**CONTEXT.get(), **event}


def configure_logging(*, level: str = "INFO") -> None:
    """JSON lines on stderr: event, level, timestamp (UTC) and what the context carries."""
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        processors=[
            merge_context,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=lambda *_: Lines(sys.stderr.buffer),
    )


class Lines:
    """A logger that writes the lines of one turn of the event loop together: under load dozens at a time.

    Without a loop, and from `error` up, it writes at once, so that a crash takes nothing of weight along.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pending: list[bytes] = []

    def info(self, line: bytes) -> None:
        self._pending.append(line)
        if len(self._pending) > 1:
            return
        try:
            asyncio.get_running_loop().call_soon(self._flush)
        except RuntimeError:
            self._flush()

    def error(self, line: bytes) -> None:
        self._pending.append(line)
        self._flush()

    debug = warning = warn = msg = log = info
    critical = fatal = exception = failure = err = error

    def _flush(self) -> None:
        lines, self._pending = self._pending, []
        if lines:
            self._file.write(b"\n".join(lines) + b"\n")
            self._file.flush()
