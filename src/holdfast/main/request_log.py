"""One JSON line for each request, like all log lines, but made in one step: it is written most of all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger


def _line(_logger: WrappedLogger, level: str, event: EventDict) -> bytes:
    return orjson.dumps({**event, "level": level, "timestamp": datetime.now(UTC)}, option=orjson.OPT_UTC_Z)


log: Any = structlog.wrap_logger(None, processors=[_line])
"""Writes where all log lines go and from the same level on; takes nothing from the context."""
