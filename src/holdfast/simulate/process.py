"""A process of the service as the simulation has it: pool, snapshots, writer, on the virtual clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from holdfast.booking.writer import Writer
from holdfast.kernel.actor import Actor
from holdfast.kernel.db import Bounds, Call, Database
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.failure import stack_of
from holdfast.kernel.lanes import lanes
from holdfast.kernel.turns import Turns
from holdfast.kernel.tx import lock_key
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.port.pricing import LocalPricing
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

    db: OnClock
    places: Places
    pricing: LocalPricing
    writer: Writer
    turns: Turns

    @classmethod
    async def start(cls, url: str, *, clock: Clock, chaos: Chaos, record: Record) -> Process:
        db = await OnClock.connect(
            url, pool_max=POOL_MAX, lanes=lanes(POOL_MAX), acquire_timeout_s=10, bounds=BOUNDS
        )
        assert isinstance(db, OnClock)
        db.clock, db.chaos, db.record = clock, chaos, record
        places, pricing = Places(db), LocalPricing()
        return cls(db, places, pricing, Writer(db, places, pricing), Turns())

    async def stop(self) -> None:
        """Ends in order."""
        await self.writer.stop()
        await self.db.close()

    async def kill(self) -> None:
        """Ends at once, whatever was under way: transactions end as the server sees fit."""
        self.db.late.close()
        self.db.pool.terminate()
        await self.writer.stop()

    async def locked(
        self, actor: Actor, venue: Venue, verb: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
    ) -> Any:
        """The verb's value, run as the API runs it: in turn, under the venue's lock, with its tenant's rows."""
        async with self.turns.of(venue.id):
            call = self.db.call(actor, tenants=[venue.tenant_id], locks=[lock_key(venue.id)])
            return await call.run(verb, *args, venue=venue, places=self.places, **kwargs)

    async def venue(self, venue_id: UUID) -> Venue:
        """The venue, maybe as it was a moment ago."""
        return self.places.at_hand(venue_id) or await self.places.venue(venue_id)
