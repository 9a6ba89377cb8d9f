"""What has gathered to be created, and how much of it makes a set."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterator
from uuid import UUID

from holdfast.booking.create import Outcome
from holdfast.booking.decide import SETS_FIRST
from holdfast.booking.wanted import Wanted
from holdfast.place.places import Places

SET_MAX = 64
PROBES_MAX = 2_000
"""Places of the ledger that one set may have to look at, about."""

Waiting = tuple[Wanted, "asyncio.Future[Outcome]"]


class Gathering:
    """Bookings wanted, in the order in which they came."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._waiting: deque[Waiting] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._waiting)

    def add(self, waiting: Waiting) -> None:
        self._waiting.append(waiting)

    def take(self, *, but: Collection[Collection[UUID]]) -> list[Waiting]:
        """The next set, up to SET_MAX or PROBES_MAX. Who gave up waiting is left out; whose venue is in one of
        the sets `but` stays."""
        taken: list[Waiting] = []
        staying: list[Waiting] = []
        probes: dict[object, int] = {}
        while self._waiting and len(taken) < SET_MAX and sum(probes.values()) < PROBES_MAX:
            waiting = self._waiting.popleft()
            if any(waiting[0].venue_id in venues for venues in but):
                staying.append(waiting)
            elif not waiting[1].done():
                taken.append(waiting)
                wanted = waiting[0]
                # Many who want the same time at a venue ask the ledger the same questions.
                probes[wanted.venue_id, wanted.when, wanted.resource_ids] = self._probes(wanted)
        self._waiting.extendleft(reversed(staying))
        return taken

    def _probes(self, wanted: Wanted) -> int:
        """About how many places of the ledger must be looked at: many for whom anything will do."""
        venue = self._places.at_hand(wanted.venue_id)
        anything = min(len(venue.resources), SETS_FIRST) if venue is not None else SETS_FIRST
        return len(wanted.resource_ids) or anything
