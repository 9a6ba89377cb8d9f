"""The kernel's metrics, and JSON logging for Holdfast and its libraries."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO
from uuid import UUID

import orjson
import structlog
from prometheus_client import Counter, Histogram
from structlog.typing import EventDict, WrappedLogger

TRANSACTION_SECONDS = Histogram(
    "holdfast_transaction_seconds",
    "Duration of a verb and its transaction, including retries.",
    ["verb"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
)
RETRIES = Counter(
    "holdfast_transaction_retries_total", "Transactions retried, by reason.", ["verb", "reason"]
)
ROUND_TRIPS = Counter("holdfast_db_round_trips_total", "Database round trips: statements sent and awaited.")


CONTEXT: ContextVar[dict[str, str]] = ContextVar("log_context", default={})  # noqa: B039  # never changed
"""Fields of every log line of the current task: `request_id`, `trace_id`. Replace the dict, never change it."""


@dataclass(slots=True)
class About:
    """What a request turned out to be about, for its log line. `code`: of the refusal. `venue_ids`: the venues it
    used."""

    code: str | None = None
    venue_ids: set[UUID] = field(default_factory=set[UUID])


ABOUT: ContextVar[About | None] = ContextVar("about", default=None)
"""Of the current request; None in background work."""


QUIET = {"uvicorn": logging.WARNING, "alembic": logging.WARNING, "asyncio": logging.WARNING}
"""Noisy libraries, and the lowest level that is logged for each."""


def merge_context(_logger: Any, _level: str, event: EventDict) -> EventDict:
    """structlog processor that adds CONTEXT to each line."""
    return {**CONTEXT.get(), **event}


def start_logging(level: str) -> None:
    """Starts JSON logging to stderr for this process, at that level and above. Each line has event, level, timestamp
    (UTC) and the fields of CONTEXT."""
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        processors=[
            merge_context,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=lambda *_: Lines(sys.stderr.buffer),
    )
    root = logging.getLogger()
    root.handlers = [_Forward()]
    root.setLevel(level)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))


class Lines:
    """A logger that batches the lines of one event loop iteration into one write: dozens under load.

    Without a loop, and for `error` and above, it writes at once, so that a crash loses no important line.
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


class _Forward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            structlog.get_logger(record.name).log(
                record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
            )
        except Exception:
            self.handleError(record)


def _line(_logger: WrappedLogger, level: str, event: EventDict) -> bytes:
    return orjson.dumps({**event, "level": level, "timestamp": datetime.now(UTC)}, option=orjson.OPT_UTC_Z)


request_log: Any = structlog.wrap_logger(None, processors=[_line])
"""Logs one JSON line per request, at the same level and to the same place as other lines, but formatted in one step
because these are the most frequent lines. It adds no CONTEXT fields."""
