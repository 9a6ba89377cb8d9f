"""Tails the event table, once for all readers of this process."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from contextvars import Context
from typing import Protocol

import structlog

from holdfast.event.model import Committed
from holdfast.event.number import Numbered, Numberer
from holdfast.event.read import READ_MAX, read
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.failure import stack_of
from holdfast.live import store
from holdfast.live.broadcast import REPLAY_EVENTS_MAX

POLL_S = 0.050
"""Interval between reads; after an empty read, a commit of this process starts the next one sooner."""
OTHERS_S = 0.002
"""Interval between reads while another process is numbering events."""
RETRY_S_MIN, RETRY_S_MAX = 0.05, 1.0

log = structlog.get_logger()


class Listener(Protocol):
    """Receives what the tail reads."""

    def begin(self, history: str, floor: int) -> None:
        """A new history starts; all events after position `floor` follow."""
        ...

    def take(self, events: list[Committed]) -> None:
        """Receives the next events, in commit order; must not raise."""
        ...


class Tail:
    """One task that reads all events of all tenants once, in commit order, with at most one connection at a time.

    1. Before each read, it gives committed events their positions and gets the current history. In a new history it
       starts REPLAY_EVENTS_MAX events before the end.
    2. While events arrive it reads every POLL_S, so that concurrent commits are sent together. After an empty read it
       reads again as soon as this process has committed events.
    3. When the database is unreachable it retries with exponential backoff up to RETRY_S_MAX, and resumes at its
       position.
    """

    def __init__(self, db: Database, listener: Listener) -> None:
        self._call = db.call(SYSTEM, own_clock=True, lane="background")
        self._numberer = Numberer(db)
        self._listener = listener
        self._bell = db.committed
        self._task: asyncio.Task[None] | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._asked_at = 0.0  # Unix time
        self.history: str | None = None
        """The database's history, 8 hex digits; None until the first read."""
        self.position = 0
        self.clock_ahead_s = 0.0
        self.ready = asyncio.Event()
        """Set once it has reached the end of the events in this history."""
        self.at_end_at = time.monotonic()
        """When it last reached the end of the events (monotonic clock)."""

    def start(self) -> None:
        # In an empty context: it must not inherit the deadline of a request that starts it.
        self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def caught_up(self) -> None:
        """Waits until every event that is readable now has been passed on."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._bell.set()
        await waiter

    @property
    def lag_s(self) -> float:
        """Time since it last reached the end of the events, in seconds."""
        return time.monotonic() - self.at_end_at

    async def _run(self) -> None:
        retry_s = RETRY_S_MIN
        while True:
            try:
                await self._step()
            except Exception as error:
                self._log(error)
                await asyncio.sleep(retry_s * random.uniform(0.5, 1.0))
                retry_s = min(2 * retry_s, RETRY_S_MAX)
            else:
                retry_s = RETRY_S_MIN

    def _log(self, error: Exception) -> None:
        if isinstance(error, HoldfastError):
            log.warning("live_tail_waits", error=error.detail)
        else:
            log.error("live_tail_failed", error=type(error).__qualname__, stack=stack_of(error))

    async def _step(self) -> None:
        began_at, position = time.monotonic(), self.position
        waiters, self._waiters = self._waiters, []
        full = True
        try:
            while full:
                full = await self._read()
        finally:
            if full:
                self._waiters += waiters
        self.at_end_at = time.monotonic()
        self.ready.set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        if self.position != position:
            await asyncio.sleep(began_at + POLL_S - time.monotonic())
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_S):
                await self._bell.wait()

    async def _begin(self, history: str, head: int) -> None:
        floor = await self._call.run(store.position_before, head, REPLAY_EVENTS_MAX)
        self.history, self.position = history, floor
        self.ready.clear()
        self._listener.begin(history, floor)

    async def _read(self) -> bool:
        """Numbers events, reads one page and passes it to the listener; returns whether there may be more."""
        self._bell.clear()
        self._asked_at = time.time()
        numbered, events = await self._numberer.number_and(self._read_on)
        if numbered.epoch != self.history or numbered.head < self.position:
            await self._begin(numbered.epoch, numbered.head)
            events = await self._call.run(read, after=self.position)
        if numbered.head > self.position:
            self.position = events[-1].position if events else numbered.head
            self._listener.take(events)
            if len(events) == READ_MAX:
                return True
        if not numbered.is_complete:
            await asyncio.sleep(OTHERS_S)  # another process is numbering events that we may be waiting for
        return not numbered.is_complete

    async def _read_on(self, tx: Tx, numbered: Numbered) -> list[Committed]:
        self.clock_ahead_s = numbered.now.timestamp() - (self._asked_at + time.time()) / 2
        is_further = numbered.epoch == self.history and numbered.head > self.position
        return await read(tx, after=self.position) if is_further else []
