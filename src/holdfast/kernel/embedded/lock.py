"""File locks between processes; the kernel frees them however a process ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.kernel.embedded.model import EmbeddedPostgresError

POLL_S = 0.05


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextmanager
def gate(path: Path, *, timeout_s: float) -> Iterator[None]:
    """Alone in here among all processes; EmbeddedPostgresError when that takes longer than `timeout_s`."""
    handle = _open(path)
    try:
        deadline = time.monotonic() + timeout_s
        while not _take(handle, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"another process has been starting or stopping PostgreSQL for {timeout_s:.0f} s: {path}"
                )
            time.sleep(POLL_S)
        yield
    finally:
        os.close(handle)


class Use:
    """This process uses the server, together with others: a shared lock."""

    def __init__(self, path: Path) -> None:
        self._handle = _open(path)
        _take(self._handle, fcntl.LOCK_SH)

    def end(self) -> bool:
        """Ends the use; whether it was the last one. Call it inside the gate."""
        try:
            return _take(self._handle, fcntl.LOCK_EX)
        finally:
            os.close(self._handle)


def _take(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
