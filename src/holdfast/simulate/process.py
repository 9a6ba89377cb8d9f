"""A process of the service as the simulation has it: pool, snapshots, writer, on the virtual clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from holdfast.engine import Engine
from holdfast.kernel.actor import Actor
from holdfast.kernel.call import Call
from holdfast.kernel.db import Bounds, Database
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.failure import stack_of
from holdfast.kernel.lanes import lanes
from holdfast.place.venue import Venue
from holdfast.simulate.chaos import Chaos
from holdfast.simulate.clock import Clock
from holdfast.simulate.record import Record

POOL_MAX: Final = 10
BOUNDS: Final = Bounds(statement_ms=20_000, lock_ms=5_000)
"""More patient than usual: a slow machine is not what is looked for."""


class OnClock(Database):
    """A database whose transactions take the virtual time for now, and may be killed."""

    clock: Clock
    chaos: Chaos
    record: Record

    def call(self, actor: Actor, **knobs: Any) -> Call:
        return ShakyCall(self, actor, **{"now": self.clock.seen(), "deadline_s": None, **knobs})


class ShakyCall(Call):
    """A call of an `OnClock`. What nobody foresaw is noted here: others may catch it and carry on."""

    async def run(self, verb: Callable[..., Awaitable[Any]], /, *args: Any, **kwargs: Any) -> Any:
        assert isinstance(self.db, OnClock)
        try:
            return await super().run(self.db.chaos.doomed(verb), *args, **kwargs)
        except HoldfastError:
            raise
        except (asyncpg.ExclusionViolationError, asyncpg.UniqueViolationError):
            self.db.record.objections += 1
            raise
        except Exception as error:
            self.db.record.found_wrong(f"{verb.__name__} failed: {stack_of(error)}")
            raise


@dataclass(slots=True)
class Process:
    """One of the processes that serve. It may be killed, and another started in its place."""

    engine: Engine

    @classmethod
    async def start(cls, url: str, like: Engine, *, clock: Clock, chaos: Chaos, record: Record) -> Process:
        """`like`: the engine whose ports and reactions it has."""
        db = await OnClock.connect(
            url, pool_max=POOL_MAX, lanes=lanes(POOL_MAX), acquire_timeout_s=10, bounds=BOUNDS
        )
        assert isinstance(db, OnClock)
        db.clock, db.chaos, db.record = clock, chaos, record
        return cls(like.over(db))

    async def stop(self) -> None:
        """Ends in order."""
        await self.engine.stop()
        await self.engine.db.close()

    async def kill(self) -> None:
        """Ends at once, whatever was under way: transactions end as the server sees fit."""
        self.engine.db.late.close()
        self.engine.db.pool.terminate()
        await self.engine.stop()

    async def venue(self, venue_id: UUID) -> Venue:
        """The venue, maybe as it was a moment ago."""
        return self.engine.places.at_hand(venue_id) or await self.engine.places.venue(venue_id)
