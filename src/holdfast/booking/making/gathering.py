"""What has gathered to be created, and how much of it makes a set."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from uuid import UUID

from holdfast.booking.deciding.decide import SETS_FIRST
from holdfast.booking.deciding.wanted import Wanted
from holdfast.booking.making.create import Outcome
from holdfast.kernel.db.tx import LateLocks, lock_key
from holdfast.kernel.errors import Overloaded
from holdfast.place.places import Places

SET_MAX = 64
PROBES_MAX = 2_000
"""Places of the ledger that one set may have to look at, about."""
ASIDE_MAX = 500
"""Bookings that wait for one venue that is stuck."""
TOO_LATE = "The booking was not written in time. Try again with the same key."


@dataclass(slots=True, eq=False)
class Waiting:
    """A booking that is wanted, and its answer.

    It waits, and is Overloaded at `until` (the loop's time). Or a transaction with the locks in hand has taken it,
    and then only what becomes of that transaction answers it: no timer may say otherwise.
    """

    wanted: Wanted
    answer: asyncio.Future[Outcome]
    until: float
    _timer: asyncio.TimerHandle | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether somebody still waits for the answer."""
        return not self.answer.done()

    def wait(self) -> None:
        """Nobody has taken it, or whoever had could do nothing with it."""
        self.take()
        self._timer = self.answer.get_loop().call_at(self.until, self._too_late)

    def take(self) -> bool:
        """Taken from here on, if somebody still waits; answers whether."""
        if self._timer is not None:
            self._timer.cancel()
        return self.is_awaited

    def _too_late(self) -> None:
        self.fail(Overloaded(TOO_LATE))

    def answered(self, outcome: Outcome) -> None:
        if self.take():
            self.answer.set_result(outcome)

    def fail(self, error: BaseException) -> None:
        if self.take():
            self.answer.set_exception(error)


class Gathering:
    """Bookings wanted, in the order in which they came. `woken`: told when some are there again that were set aside.

    A venue whose lock is late has a queue of its own until the lock is free: the others do not meet it.
    """

    def __init__(self, places: Places, late: LateLocks, woken: Callable[[], None]) -> None:
        self._places = places
        self._late = late
        self._woken = woken
        self._waiting: deque[Waiting] = deque()
        self._aside: dict[UUID, dict[Waiting, None]] = {}

    def __len__(self) -> int:
        """How many are waited for by no stuck venue."""
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        return chain(self._waiting, *self._aside.values())

    def add(self, waiting: Waiting) -> None:
        self._waiting.append(waiting)

    def put_back(self, taken: Sequence[Waiting]) -> None:
        """They were taken, and could not be decided on: they are the first again."""
        self._waiting.extendleft(reversed(taken))

    def drop(self, waiting: Waiting) -> None:
        """Nobody waits for it any more."""
        self._aside.get(waiting.wanted.venue_id, {}).pop(waiting, None)

    def _set_aside(self, waiting: Waiting) -> None:
        venue_id = waiting.wanted.venue_id
        if venue_id not in self._aside:
            self._aside[venue_id] = {}
            self._late.when_free(lock_key(venue_id), partial(self._bring_back, venue_id))
        if len(self._aside[venue_id]) >= ASIDE_MAX:
            waiting.fail(Overloaded("Too many bookings are waiting there. Try again with the same key."))
        else:
            self._aside[venue_id][waiting] = None

    def _bring_back(self, venue_id: UUID) -> None:
        self.put_back([*self._aside.pop(venue_id)])
        self._woken()

    def take(self, *, but: Collection[Collection[UUID]]) -> list[Waiting]:
        """The next set, up to SET_MAX or PROBES_MAX. Who gave up waiting is left out; whose venue is in one of
        the sets `but` stays; whose venue is stuck is set aside."""
        taken: list[Waiting] = []
        staying: list[Waiting] = []
        probes: dict[object, int] = {}
        while self._waiting and len(taken) < SET_MAX and sum(probes.values()) < PROBES_MAX:
            waiting = self._waiting.popleft()
            wanted = waiting.wanted
            if any(wanted.venue_id in venues for venues in but):
                staying.append(waiting)
            elif wanted.venue_id in self._aside or lock_key(wanted.venue_id) in self._late:
                self._set_aside(waiting)
            elif waiting.is_awaited:
                taken.append(waiting)
                # Many who want the same time at a venue ask the ledger the same questions.
                probes[wanted.venue_id, wanted.when, wanted.resource_ids] = self._probes(wanted)
        self._waiting.extendleft(reversed(staying))
        return taken

    def _probes(self, wanted: Wanted) -> int:
        """About how many places of the ledger must be looked at: many for whom anything will do."""
        venue = self._places.at_hand(wanted.venue_id)
        anything = min(len(venue.resources), SETS_FIRST) if venue is not None else SETS_FIRST
        return len(wanted.resource_ids) or anything
