"""Metrics of the kernel, and how log lines are written, those of libraries too: as JSON."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson
import structlog
from prometheus_client import Counter, Histogram
from structlog.typing import EventDict, WrappedLogger

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

QUIET = {"uvicorn": logging.WARNING, "alembic": logging.WARNING, "asyncio": logging.WARNING}
"""Libraries that tell more than anybody wants to know, and from which level on they are heard."""


def merge_context(_logger: Any, _level: str, event: EventDict) -> EventDict:
    """The processor that adds CONTEXT to a line."""
    return {**CONTEXT.get(), **event}


def start_logging(level: str) -> None:
    """From now on this process logs JSON lines on stderr, of that level and above: event, level, timestamp (UTC) and
    what the context carries."""
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
"""One JSON line for each request, like all log lines but made in one step: it is written most of all. Writes where they
go, and from the same level on; takes nothing from the context."""
