"""One kind of log line for all: what libraries log by the standard way comes out as our JSON too."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from holdfast.kernel.telemetry import configure_logging

QUIET = {"uvicorn": logging.WARNING, "alembic": logging.WARNING, "asyncio": logging.WARNING}
"""Libraries that tell more than anybody wants to know, and from which level on they are heard."""


class _Forward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            structlog.get_logger(record.name).log(
                record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
            )
        except Exception:
            self.handleError(record)


def start_logging(level: str) -> None:
    """From now on this process logs JSON lines on stderr, of that level and above."""
    configure_logging(level=level)
    root = logging.getLogger()
    root.handlers = [_Forward()]
    root.setLevel(level)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))


def _line(_logger: WrappedLogger, level: str, event: EventDict) -> bytes:
    return orjson.dumps({**event, "level": level, "timestamp": datetime.now(UTC)}, option=orjson.OPT_UTC_Z)


request_log: Any = structlog.wrap_logger(None, processors=[_line])
"""One JSON line for each request, like all log lines but made in one step: it is written most of all. Writes where they
go, and from the same level on; takes nothing from the context."""
