"""Leaving alone what fails, for a time that grows."""

from __future__ import annotations

import time
from collections.abc import Callable

PAUSE_S_MIN = 0.1
PAUSE_S_MAX = 10.0


class Circuit:
    """After a failure nothing is tried for PAUSE_S_MIN; then one attempt, and after each that fails twice the
    time as before, up to PAUSE_S_MAX. A success ends it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._failed_at = 0.0
        self._closed_until = 0.0

    def may_try(self) -> bool:
        """Whether to go ahead; who does so says how it went by `succeeded` or `failed`."""
        if not self._failures:
            return True
        now = self._clock()
        if now < self._closed_until:
            return False
        # Only this one: the others wait for what becomes of it, and not for ever if that is never said.
        self._closed_until = now + PAUSE_S_MIN
        return True

    def succeeded(self) -> bool:
        """True when it is back after failures."""
        was_failing, self._failures = self._failures > 0, 0
        return was_failing

    def failed(self, *, began: float) -> float | None:
        """How long it is left alone now, s; None for an attempt that began before the pause it is in: of
        those that were under way together, the first counts. `began`: by the circuit's clock."""
        if self._failures and began < self._failed_at:
            return None
        self._failures += 1
        self._failed_at = self._clock()
        pause_s = min(PAUSE_S_MIN * 2 ** min(self._failures - 1, 16), PAUSE_S_MAX)
        self._closed_until = self._failed_at + pause_s
        return pause_s
