"""Turns: callers that need the same lock queue here, in this process, and hold no connection while they wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from holdfast.kernel.db.tx import part_s
from holdfast.kernel.errors import Overloaded

WAIT_S = 1.5
WAITING_MAX = 500


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
