"""How many connections the process may keep: each takes a file descriptor."""

from __future__ import annotations

import resource
from contextlib import suppress

import structlog

SPARE = 256
"""Descriptors for everything else: requests, the database, logs."""

log = structlog.get_logger(__name__)


def room_for_streams(wanted: int) -> int:
    """So many live streams may be open, `wanted` if the system allows it; it is asked for all it gives."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems call a limit infinite that they don't grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    room = wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - SPARE))
    if room < wanted:
        log.warning("live_streams_bounded", wanted=wanted, room=room, open_files_max=soft)
    return room
