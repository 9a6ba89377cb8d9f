"""The writer: bookings wanted in this process are created in sets."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextvars import Context
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from holdfast.booking.conflicts import lost
from holdfast.booking.create import Busy, Outcome, create
from holdfast.booking.decide import Refused
from holdfast.booking.errors import NotAvailable
from holdfast.booking.gathering import SET_MAX, TOO_LATE, Gathering, Waiting
from holdfast.booking.wanted import Wanted
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db import Database
from holdfast.kernel.deadline import left_s
from holdfast.kernel.errors import HoldfastError, OutcomeUnknown, Overloaded
from holdfast.kernel.failure import stack_of
from holdfast.kernel.ids import new_id
from holdfast.kernel.tx import Tx, lock_key
from holdfast.place.places import Places
from holdfast.port.pricing import Pricing

SETS_MAX = 2
WAITING_MAX = 2_000
BUSY_VENUES_MAX = 4
TRIES_ALONE_MAX = 3
STOP_S = 5.0
"""How long sets that are under way have to end when this stops."""
STOPPING = "The service is stopping. Try again with the same key."

log = structlog.get_logger()


class Writer:
    """Takes everything that has gathered while the sets before were written, up to SET_MAX or
    PROBES_MAX, and creates it.

    0. Up to SETS_MAX sets are under way at once, none with a venue of another: while the database works on
       one, this process decides on the next.
    1. A set takes its venues' locks only where they are free at once. What wants a busy venue waits for
       it in a set of its own, with other such sets, one for a venue and up to BUSY_VENUES_MAX at a time.
    2. A set that a constraint or anything unexpected ended is run again one by one, so that one bad
       request never fails another.
    3. More than WAITING_MAX waiting: Overloaded at once. Not taken by a transaction that holds its venue's lock within
       the time of a request: Overloaded. What was taken is answered by the commit.
    """

    def __init__(self, db: Database, places: Places, pricing: Pricing) -> None:
        self._db = db
        self._places = places
        self._pricing = pricing
        self._waiting = Gathering(places)
        self._scheduled = False
        self._stopped = False
        self._under_way: list[frozenset[UUID]] = []  # the venues of each set
        self._busy: dict[UUID, list[Waiting]] = {}
        # Each waits on a connection; a third of them at most, so that the others' venues have theirs.
        busy_max = min(BUSY_VENUES_MAX, max(1, db.pool.get_max_size() // 3))
        self._busy_slots = asyncio.Semaphore(busy_max)
        self._tasks: set[asyncio.Task[None]] = set()
        self.sets = 0

    @property
    def waiting(self) -> int:
        """How many bookings wait to be taken into a set."""
        return len(self._waiting) + sum(map(len, self._busy.values()))

    async def stop(self) -> None:
        """Stops. What waits is answered with Overloaded; the sets under way end, within STOP_S."""
        self._stopped = True
        for waiting in [*self._waiting, *(each for group in self._busy.values() for each in group)]:
            waiting.fail(Overloaded(STOPPING))
        tasks = [*self._tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def submit(self, wanted: Wanted) -> Outcome:
        """What comes of it: Booked, Refused or Again. Raises Overloaded when it was not made, nor ever will be, and
        OutcomeUnknown."""
        if self._stopped:
            raise Overloaded(STOPPING)
        if self.waiting >= WAITING_MAX:
            raise Overloaded("Too many bookings are waiting to be written. Try again with the same key.")
        loop = asyncio.get_running_loop()
        waiting = Waiting(wanted, loop.create_future(), loop.time() + left_s(self._db.deadline_s))
        waiting.wait()
        self._waiting.add(waiting)
        self._schedule()
        try:
            return await waiting.answer
        finally:
            waiting.take()

    def _schedule(self) -> None:
        # Not at once: what comes in the same turn of the event loop goes into the same set.
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._start_sets)

    def _start_sets(self) -> None:
        self._scheduled = False
        while not self._stopped and len(self._under_way) < SETS_MAX:
            taken = self._waiting.take(but=self._under_way)
            if not taken:
                return
            venues = frozenset([each.wanted.venue_id for each in taken])
            self._under_way.append(venues)
            self._spawn(self._write_set(taken, venues))

    async def _write_set(self, taken: list[Waiting], venues: frozenset[UUID]) -> None:
        try:
            await self._write(taken, try_locks=True)
        finally:
            self._under_way.remove(venues)
            if self._waiting:
                self._schedule()

    async def _write(self, taken: list[Waiting], *, try_locks: bool) -> None:
        try:
            outcomes = await self._try(taken, try_locks=try_locks)
            if outcomes is None:
                await self._one_by_one(taken)
                return
        except BaseException:
            # This was cut off, or something failed that never should: nobody is left waiting for nothing.
            for waiting in taken:
                waiting.fail(OutcomeUnknown())
            raise
        for waiting, outcome in zip(taken, outcomes, strict=False):
            if isinstance(outcome, Busy):
                self._wait_for_venue(waiting)
            else:
                waiting.answered(outcome)

    async def _try(self, taken: Sequence[Waiting], *, try_locks: bool) -> list[Outcome] | None:
        """The outcomes of the set; None when it must be run again one by one."""
        self.sets += 1
        try:
            return await self._create(taken, try_locks=try_locks)
        except (Overloaded, OutcomeUnknown) as error:
            for waiting in taken:
                waiting.fail(error)
            return []
        except (asyncpg.ExclusionViolationError, asyncpg.UniqueViolationError) as error:
            log.info("set_run_again", size=len(taken), error=type(error).__name__)
        except Exception as error:
            log.error("set_failed", size=len(taken), stack=stack_of(error))
        return None

    async def _create(self, taken: Sequence[Waiting], *, try_locks: bool) -> list[Outcome]:
        keys = sorted({lock_key(each.wanted.venue_id) for each in taken})
        call = self._db.call(
            SYSTEM,
            tenants={each.wanted.tenant_id for each in taken},
            own_clock=not any(each.wanted.walk_in for each in taken),
            **({"try_locks": keys} if try_locks else {"locks": keys}),
        )
        return await call.run(self.create_awaited, taken)

    async def create_awaited(self, tx: Tx, taken: Sequence[Waiting]) -> list[Outcome]:
        """Creates what somebody still waits for, now that the locks are held. From here on only the commit answers
        them; who was told before that it is too late must not find a booking."""
        late = Refused(Overloaded(TOO_LATE))
        outcomes: list[Outcome] = [late] * len(taken)
        awaited = [place for place, each in enumerate(taken) if each.take()]
        if awaited:
            wanted = [taken[place].wanted for place in awaited]
            made = await create(tx, wanted, places=self._places, pricing=self._pricing)
            for place, outcome in zip(awaited, made, strict=True):
                outcomes[place] = outcome
        return outcomes

    def _wait_for_venue(self, waiting: Waiting) -> None:
        venue_id = waiting.wanted.venue_id
        waiting.wait()
        if self._stopped:
            waiting.fail(Overloaded(STOPPING))
            return
        if venue_id in self._busy:
            self._busy[venue_id].append(waiting)
        else:
            self._busy[venue_id] = [waiting]
            self._spawn(self._write_busy(venue_id))

    async def _write_busy(self, venue_id: UUID) -> None:
        """Set after set for a venue that was busy: each waits for the lock, and takes what gathered until it ran.

        Never two at a time, so that one venue, stuck for long, takes one connection and not all there are.
        """
        try:
            while self._busy[venue_id]:
                async with self._busy_slots:
                    gathered, self._busy[venue_id] = self._busy[venue_id], []
                    taken = [each for each in gathered if each.is_awaited]
                    for first in range(0, len(taken), SET_MAX):
                        await self._write(taken[first : first + SET_MAX], try_locks=False)
        finally:
            # Nobody is left, unless this was stopped.
            for waiting in self._busy.pop(venue_id):
                waiting.fail(Overloaded(STOPPING))

    async def _one_by_one(self, taken: Sequence[Waiting]) -> None:
        for waiting in taken:
            waiting.wait()
        for waiting in taken:
            if not waiting.is_awaited:
                continue
            try:
                waiting.answered(await self._alone(waiting))
            except Exception as error:
                if not isinstance(error, HoldfastError):
                    log.error("booking_failed", booking_id=str(waiting.wanted.id), stack=stack_of(error))
                waiting.fail(error)

    async def _alone(self, waiting: Waiting) -> Outcome:
        for _ in range(TRIES_ALONE_MAX):
            try:
                return (await self._create([waiting], try_locks=False))[0]
            except asyncpg.ExclusionViolationError:
                return Refused(await self._lost(waiting.wanted))
            except asyncpg.UniqueViolationError:
                # The reference is taken (one in millions), or the key was used at this moment elsewhere:
                # next time the first is another, and the second is found.
                waiting.wanted = replace(waiting.wanted, id=new_id())
        raise Overloaded("Too many others want the same thing at once. Try again with the same key.")

    async def _lost(self, wanted: Wanted) -> NotAvailable:
        venue = await self._places.venue(wanted.venue_id)
        found = [venue.resources[id_].kind for id_ in wanted.resource_ids if id_ in venue.resources]
        kinds = found or [each.kind for each in venue.resources.values()] or ["resource"]
        return lost(kinds[0], venue)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        # In a context of its own: it is no part of the request that happened to start it, whose time it would
        # otherwise take for its own, and hand on to the sets that follow.
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
