"""The writer creates this process's bookings in sets."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextvars import Context
from functools import partial
from itertools import chain
from uuid import UUID

import asyncpg
import structlog

from holdfast.booking.deciding.known import Refused
from holdfast.booking.making.alone import one_by_one
from holdfast.booking.making.create import TOO_LATE, Busy, Outcome, Waiting, create
from holdfast.booking.wanted import SETS_FIRST, Wanted
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import LateLocks, Tx, left_s, lock_key
from holdfast.kernel.errors import OutcomeUnknown, Overloaded
from holdfast.kernel.failure import stack_of
from holdfast.place.places import Places

SETS_MAX = 2
SET_MAX = 64
PROBES_MAX = 2_000
"""About how many ledger probes one set may need."""
ASIDE_MAX = 500
"""The most bookings set aside for one venue whose lock is late."""
WAITING_MAX = 2_000
WRITE_SHARE = 1 / 12
"""The share of the request deadline that a set gets once it has its locks, even if one of its bookings has no time
left. By default 0.15 s, several times what a set takes."""
STOP_S = 5.0
"""How long `stop` waits for the sets under way."""
STOPPING = "The service is stopping. Try again with the same key."
log = structlog.get_logger()


class Writer:
    """Creates bookings in sets: each set is what was queued while the previous ones were written, up to SET_MAX
    bookings or PROBES_MAX probes.

    1. Up to SETS_MAX sets are under way at once, and no two share a venue: while the database works on one, this
       process decides the next.
    2. A set waits up to 100 ms for its venues' locks, in the order of their keys, and continues with those it got.
       Bookings whose lock is late wait until it is free, without a connection (`LateLocks`).
    3. If a constraint or an unexpected error fails the set, its bookings are retried one by one, so that one bad
       request never fails another.
    4. With WAITING_MAX bookings in the queue, the next is Overloaded at once. A booking is also Overloaded if no
       transaction that holds its venue's lock takes it before the request deadline. Once taken, its answer is the
       outcome of the commit.
    """

    def __init__(self, db: Database, places: Places) -> None:
        self._db = db
        self._places = places
        self._queue = BookingQueue(places, db.late, self._schedule)
        self._scheduled = False
        self._stopped = False
        self._under_way: list[frozenset[UUID]] = []  # the venues of each set
        self._tasks: set[asyncio.Task[None]] = set()
        self.sets = 0

    @property
    def waiting(self) -> int:
        """The number of bookings waiting for a set, not counting those set aside."""
        return len(self._queue)

    async def stop(self) -> None:
        """Stops. Waiting bookings are Overloaded; sets under way have STOP_S to finish and are then cancelled."""
        self._stopped = True
        for waiting in [*self._queue]:
            waiting.fail(Overloaded(STOPPING))
        tasks = [*self._tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def submit(self, wanted: Wanted) -> Outcome:
        """Creates the booking. Returns Booked, Refused or Again. Raises Overloaded if it was not created and never will
        be, and OutcomeUnknown."""
        if self._stopped:
            raise Overloaded(STOPPING)
        if self.waiting >= WAITING_MAX:
            raise Overloaded("Too many bookings are waiting to be written. Try again with the same key.")
        loop = asyncio.get_running_loop()
        waiting = Waiting(wanted, loop.create_future(), loop.time() + left_s(self._db.deadline_s))
        waiting.start_timer()
        self._queue.add(waiting)
        self._schedule()
        try:
            return await waiting.answer
        finally:
            waiting.take()
            self._queue.drop(waiting)

    def _schedule(self) -> None:
        # Not at once, so that bookings submitted in the same iteration of the event loop go into the same set.
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._start_sets)

    def _start_sets(self) -> None:
        self._scheduled = False
        while not self._stopped and len(self._under_way) < SETS_MAX:
            taken = self._queue.take(but=self._under_way)
            if not taken:
                return
            venues = frozenset([each.wanted.venue_id for each in taken])
            self._under_way.append(venues)
            # In a fresh context: otherwise the set, and the sets that follow, would inherit the deadline of the request
            # that happened to start it.
            work = self._write(taken, venues)
            task = asyncio.get_running_loop().create_task(work, context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _write(self, taken: list[Waiting], venues: frozenset[UUID]) -> None:
        try:
            outcomes = await self._try_set(taken)
            if outcomes is None:
                await one_by_one(taken, self._create, self._answer, self._places)
            else:
                self._answer(taken, outcomes)
        except BaseException:
            # The task was cancelled, or there is a bug. Nobody must be left waiting for an answer that never comes.
            for waiting in taken:
                waiting.fail(OutcomeUnknown())
            raise
        finally:
            self._under_way.remove(venues)
            if self._queue:
                self._schedule()

    def _answer(self, taken: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
        busy: list[Waiting] = []
        for waiting, outcome in zip(taken, outcomes, strict=False):
            if not isinstance(outcome, Busy):
                waiting.resolve(outcome)
            elif self._stopped:
                waiting.fail(Overloaded(STOPPING))
            else:
                waiting.start_timer()
                busy.append(waiting)
        self._queue.put_back(busy)

    async def _try_set(self, taken: Sequence[Waiting]) -> list[Outcome] | None:
        """Returns the outcomes of the set; None if its bookings must be retried one by one."""
        self.sets += 1
        try:
            return await self._create(taken)
        except (Overloaded, OutcomeUnknown) as error:
            for waiting in taken:
                waiting.fail(error)
            return []
        except (asyncpg.ExclusionViolationError, asyncpg.UniqueViolationError) as error:
            log.info("set_run_again", size=len(taken), error=type(error).__name__)
        except Exception as error:
            log.error("set_failed", size=len(taken), stack=stack_of(error))
        return None

    async def _create(self, taken: Sequence[Waiting]) -> list[Outcome]:
        # The time left to the booking that has waited longest, but at least half a deadline. A set that times out for
        # one of its bookings has to be written again for the others, and under load there always is such a booking.
        left = min(each.until for each in taken) - asyncio.get_running_loop().time()
        call = self._db.call(
            SYSTEM,
            deadline_s=max(left, self._db.deadline_s / 2),
            tenants={each.wanted.tenant_id for each in taken},
            own_clock=not any(each.wanted.walk_in for each in taken),
            some_locks=sorted({lock_key(each.wanted.venue_id) for each in taken}),
            lane="sets",
        )
        return await call.run(self.create_awaited, taken)

    async def create_awaited(self, tx: Tx, taken: Sequence[Waiting]) -> list[Outcome]:
        """Creates the bookings that somebody is still waiting for, under the locks. From here on only the commit
        answers them. No booking is created for a request that has already timed out."""
        awaited = [each for each in taken if each.take()]
        outcomes: dict[Waiting, Outcome] = {}
        if awaited:
            left = min(each.until for each in awaited) - asyncio.get_running_loop().time()
            # Before the COMMIT, a timeout leaves nothing behind, so the oldest request gets its answer in time.
            async with asyncio.timeout(max(left, self._db.deadline_s * WRITE_SHARE)):
                made = await create(tx, [each.wanted for each in awaited], places=self._places)
            outcomes = dict(zip(awaited, made, strict=True))
        return [outcomes.get(each) or Refused(Overloaded(TOO_LATE)) for each in taken]


class BookingQueue:
    """The queue of wanted bookings, in order of arrival. `on_return`: called when set-aside bookings are back.

    A venue whose lock is late has its own queue until the lock is free, so that it does not slow down the others.
    """

    def __init__(self, places: Places, late: LateLocks, on_return: Callable[[], None]) -> None:
        self._places = places
        self._late = late
        self._on_return = on_return
        self._queue: deque[Waiting] = deque()
        self._aside: dict[UUID, dict[Waiting, None]] = {}

    def __len__(self) -> int:
        """The number of bookings in the queue, not counting those set aside."""
        return len(self._queue)

    def __iter__(self) -> Iterator[Waiting]:
        return chain(self._queue, *self._aside.values())

    def add(self, waiting: Waiting) -> None:
        self._queue.append(waiting)

    def take(self, *, but: Collection[Collection[UUID]]) -> list[Waiting]:
        """Takes the next set: up to SET_MAX bookings or PROBES_MAX probes. Bookings at a venue in `but` stay in the
        queue, those at a venue whose lock is late are set aside, and those that nobody waits for are dropped."""
        taken: list[Waiting] = []
        staying: list[Waiting] = []
        probes: dict[object, int] = {}
        while self._queue and len(taken) < SET_MAX and sum(probes.values()) < PROBES_MAX:
            waiting = self._queue.popleft()
            wanted = waiting.wanted
            if any(wanted.venue_id in venues for venues in but):
                staying.append(waiting)
            elif wanted.venue_id in self._aside or lock_key(wanted.venue_id) in self._late:
                self._set_aside(waiting)
            elif waiting.is_awaited:
                taken.append(waiting)
                # Bookings for the same time at a venue share their probes.
                probes[wanted.venue_id, wanted.when, wanted.resource_ids] = self._probes(wanted)
        self._queue.extendleft(reversed(staying))
        return taken

    def _probes(self, wanted: Wanted) -> int:
        """Returns about how many ledger probes the booking needs: many if it names no resources."""
        venue = self._places.at_hand(wanted.venue_id)
        anything = min(len(venue.resources), SETS_FIRST) if venue is not None else SETS_FIRST
        return len(wanted.resource_ids) or anything

    def _set_aside(self, waiting: Waiting) -> None:
        venue_id = waiting.wanted.venue_id
        if venue_id not in self._aside:
            self._aside[venue_id] = {}
            self._late.when_free(lock_key(venue_id), partial(self._bring_back, venue_id))
        if len(self._aside[venue_id]) >= ASIDE_MAX:
            waiting.fail(
                Overloaded("Too many bookings are waiting for this venue. Try again with the same key.")
            )
        else:
            self._aside[venue_id][waiting] = None

    def _bring_back(self, venue_id: UUID) -> None:
        self.put_back([*self._aside.pop(venue_id)])
        self._on_return()

    def put_back(self, taken: Sequence[Waiting]) -> None:
        """Puts bookings that were taken but not decided back at the front, in their order."""
        self._queue.extendleft(reversed(taken))

    def drop(self, waiting: Waiting) -> None:
        """Removes a booking that nobody waits for any more, if it was set aside."""
        self._aside.get(waiting.wanted.venue_id, {}).pop(waiting, None)
