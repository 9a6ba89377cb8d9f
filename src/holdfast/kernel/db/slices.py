"""Long work in slices, so that nobody who shares the event loop waits for all of it."""

from __future__ import annotations

import asyncio
import time

SLICE_S = 0.002


class Slices:
    """Measures how long the work has gone on since others last had their turn."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    async def rest(self) -> bool:
        """Lets everything else that is ready go first, once the slice has taken SLICE_S. Returns whether it did."""
        if time.perf_counter() - self._began < SLICE_S:
            return False
        await asyncio.sleep(0)
        self._began = time.perf_counter()
        return True
