"""A child process must not outlive its supervisor, however that ends."""

from __future__ import annotations

import os
import signal
import threading
import time

STDIN = 0
END_TIMEOUT_S = 9.0


def end_with_parent() -> None:
    """From now on this process ends when its standard input does: in order, or after END_TIMEOUT_S anyway.

    The supervisor holds the other end of that pipe; the system closes it even after kill -9.
    """
    threading.Thread(target=_wait, name="end with parent", daemon=True).start()


def _wait() -> None:
    while os.read(STDIN, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_TIMEOUT_S)
    os._exit(1)
