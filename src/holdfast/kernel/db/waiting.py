"""What bounds waiting in this process: the deadline of a request, and turns.

A request may wait for several things one after the other: its turn, a lock, a connection. Each wait has its own bound,
and the deadline bounds their sum.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from uuid import UUID

from holdfast.kernel.errors import Overloaded

REQUEST_DEADLINE_S = 1.8
"""The default; HOLDFAST_REQUEST_DEADLINE_S sets another."""
WAIT_S = 1.5
WAITING_MAX = 500


class _Deadline:
    """Starts at the first wait, so that a request body that arrives slowly does not use it up."""

    __slots__ = ("seconds", "until")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until: float | None = None


_current: ContextVar[_Deadline | None] = ContextVar("holdfast_deadline", default=None)


@contextmanager
def request_deadline(seconds: float = REQUEST_DEADLINE_S) -> Iterator[None]:
    """All waits in the block, and in tasks it starts, end `seconds` after the first wait began."""
    token = _current.set(_Deadline(seconds))
    try:
        yield
    finally:
        _current.reset(token)


def left_s(most_s: float) -> float:
    """Returns the timeout for a wait, in seconds: `most_s`, but not past the deadline; 0 when it has passed."""
    deadline = _current.get()
    if deadline is None:
        return most_s
    now = time.monotonic()
    if deadline.until is None:
        deadline.until = now + deadline.seconds
    return max(min(most_s, deadline.until - now), 0.0)


def part_s(usual_s: float) -> float:
    """Like `left_s`, for a wait that may take a share of the deadline: `usual_s` of REQUEST_DEADLINE_S, scaled to the
    request's own deadline."""
    deadline = _current.get()
    return left_s(usual_s if deadline is None else usual_s * deadline.seconds / REQUEST_DEADLINE_S)


class Turns:
    """One turn at a time per id: callers that need the same lock queue here instead of in the database."""

    def __init__(self) -> None:
        self._locks: dict[UUID, asyncio.Lock] = {}
        self._wanting: dict[UUID, int] = {}

    @asynccontextmanager
    async def of(self, id_: UUID) -> AsyncIterator[None]:
        """The id's turn, for the block. Raises Overloaded after WAIT_S, at the request's deadline, or at once when
        WAITING_MAX callers are already waiting."""
        if self._wanting.get(id_, 0) >= WAITING_MAX:
            raise Overloaded("Too many changes are waiting there. Try again with the same key.")
        lock = self._locks.setdefault(id_, asyncio.Lock())
        self._wanting[id_] = self._wanting.get(id_, 0) + 1
        try:
            async with _within_time(lock):
                yield
        finally:
            self._wanting[id_] -= 1
            if not self._wanting[id_]:
                del self._wanting[id_], self._locks[id_]


@asynccontextmanager
async def _within_time(gate: asyncio.Lock) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(part_s(WAIT_S)):
            await gate.acquire()
    except TimeoutError:
        raise Overloaded(
            "Other changes to the same venue took too long. Try again with the same key."
        ) from None
    try:
        yield
    finally:
        gate.release()
