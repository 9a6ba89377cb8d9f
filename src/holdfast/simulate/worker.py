"""Workers: ticks and waitlist reactions, on the virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

from holdfast.event.model import Committed
from holdfast.event.number import Numberer
from holdfast.event.read import READ_MAX, read
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import OutcomeUnknown, Overloaded
from holdfast.kernel.failure import stack_of
from holdfast.simulate.world import World
from holdfast.waitlist.react import promote_freed, sweep_venue

TICKS_EVERY: Final = timedelta(minutes=8)
"""Less often than in production, where a hold is swept within a second; all of a day's work is still done."""
SKIPS_SHARE: Final = 0.02
SKIPS_H_MAX: Final = 5
CATCH_UP: Final = 3
"""How many workers catch up at the same time after a pause."""
PROMOTES_EVERY: Final = timedelta(minutes=6)
KILLED_SHARE: Final = 0.05
ROUNDS_MAX: Final = 50
TRIES_MAX: Final = 20
NOTHING_FREED: Final = frozenset({"booking.created", "availability.updated"})

T = TypeVar("T")


class PeriodicVerb(Protocol):
    """Periodic work: `verb` handles up to `batch` rows, every `period_s`."""

    @property
    def period_s(self) -> float: ...
    @property
    def batch(self) -> int: ...
    @property
    def verb(self) -> Callable[[Tx, int], Awaitable[int]]: ...


@dataclass(slots=True)
class Worker:
    """One worker; several can run at a time."""

    world: World
    ticks: Sequence[PeriodicVerb]
    _due: dict[int, datetime] = field(default_factory=dict)

    async def tick(self, name: str) -> None:
        """Runs all ticks every TICKS_EVERY; with faults it sometimes pauses for hours, and then several workers catch
        up at once."""
        random, clock, faults = self.world.random(name), self.world.clock, self.world.chaos.faults
        await clock.sleep(TICKS_EVERY * random.random())
        while True:
            await clock.sleep(TICKS_EVERY)
            if faults and random.random() < SKIPS_SHARE:
                self.world.chaos.counted("ticks_skipped")
                await clock.sleep(timedelta(hours=random.uniform(1, SKIPS_H_MAX)))
                others = [Worker(self.world, self.ticks) for _ in range(CATCH_UP)]
                await asyncio.gather(*(other.once() for other in others))
            else:
                await self.once()

    async def once(self) -> None:
        """Runs every tick that is due, until it finds nothing more to do."""
        now = self.world.clock.seen()
        for place, tick in enumerate(self.ticks):
            if self._due.get(place, now) > now:
                continue
            self._due[place] = now + timedelta(seconds=tick.period_s)
            for _ in range(ROUNDS_MAX):
                if (await self.run(tick.verb, tick.batch) or 0) < tick.batch:
                    break

    async def run(self, verb: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T | None:
        """Runs the verb as the system, for the simulation's tenants only. Returns its value; None if it failed."""
        call = self.world.asking.any().engine.db.call(SYSTEM, lane="changes", tenants=self.world.tenants)
        try:
            return await call.run(verb, *args, **kwargs)
        except (OutcomeUnknown, Overloaded):
            self.world.record.overloaded += 1
        except Exception as error:
            self.world.record.found_wrong(f"{verb.__name__} of a worker failed: {stack_of(error)}")
        return None


@dataclass(slots=True)
class Promoter(Worker):
    """Promotes waitlist entries: reads the events in commit order, reacts to each, and sweeps."""

    after: int = 0

    async def promote(self) -> None:
        """Runs every PROMOTES_EVERY; with faults it is sometimes killed, and the next run continues from there."""
        chaos, clock = self.world.chaos, self.world.clock
        while True:
            await clock.sleep(PROMOTES_EVERY)
            killed = chaos.faults and chaos.random.random() < KILLED_SHARE
            task = asyncio.ensure_future(self.catch_up())
            if killed:
                chaos.counted("promotion_killed")
                await asyncio.wait([task], timeout=chaos.moment_s())
                task.cancel()
            await asyncio.gather(task, return_exceptions=killed)

    async def catch_up(self) -> None:
        """Reacts to all committed events, then sweeps."""
        await self.head()
        for _ in range(ROUNDS_MAX):
            found: list[Committed] = await self.run(read, after=self.after) or []
            for each in found:
                await self._react(each)
                self.after = each.position
            if len(found) < READ_MAX:
                break
        for house in self.world.houses:
            await self._try(sweep_venue, house.venue.tenant_id, house.venue.id)

    async def head(self) -> int:
        """Numbers the events and returns the last position, or the current one if the database is unreachable."""
        try:
            return (await Numberer(self.world.asking.any().engine.db).number()).head
        except (OutcomeUnknown, Overloaded):
            return self.after

    async def _react(self, committed: Committed) -> None:
        """Retries as often as needed: an event counts as handled only when its work has been committed."""
        event = committed.event
        if event.channel is None or event.event_type in NOTHING_FREED:
            return
        for _ in range(TRIES_MAX):
            if await self._try(promote_freed, event, finish=_nothing_more):
                break

    async def _try(self, work: Callable[..., Awaitable[object]], *args: Any, **more: Any) -> bool:
        """Returns whether the work, which runs its own transactions, was completed."""
        process = self.world.asking.any()
        try:
            await work(process.engine, *args, **more)
        except (OutcomeUnknown, Overloaded):
            self.world.record.overloaded += 1
            return False
        except Exception as error:
            self.world.record.found_wrong(f"{work.__name__} failed: {stack_of(error)}")
            return False
        return True


async def _nothing_more(_tx: Tx) -> None:
    """`finish` for a reaction without a job."""
