"""Puts a booking history through the engine: everything that happened, at its own instant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from holdfast.booking.deciding.decide import Refused
from holdfast.booking.deciding.wanted import Preferences, Wanted, When
from holdfast.booking.making.create import Booked, create
from holdfast.booking.move import Move, move_set
from holdfast.booking.states import Status
from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.call import Call
from holdfast.kernel.db.tx import lock_key
from holdfast.kernel.ids import new_id
from holdfast.place.venue import Venue
from holdfast.replay.open_hotels import ROOM_TYPE, open_hotels
from holdfast.replay.plan import ActionKind, Plan, stay_span
from holdfast.replay.stay import Stay

SET_MAX: Final = 64
"""Bookings made, or moved, in one transaction at most."""
HOTELS_AT_ONCE_MAX: Final = 4
"""Connections used at a time."""
DEADLINE_S: Final = 30.0
SOURCE: Final = "replay"

_STATUS: Final[dict[ActionKind, Status]] = {
    "cancel": Status.CANCELLED,
    "check_in": Status.CHECKED_IN,
    "check_out": Status.COMPLETED,
    "no_show": Status.NO_SHOW,
}


Watch = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the engine made of a history.

    `booking_ids`: of what was accepted, by line. `refused`: the code by line, in the order in which they
    were refused; what happened to those later in the file did not happen here. `seconds`: all actions
    together, without the hotels' setting up and without `watch`. `operations`: bookings asked for, and
    steps taken.
    """

    hotels: dict[str, Venue] = field(default_factory=dict)
    booking_ids: dict[int, UUID] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    operations: int = 0


async def replay(engine: Engine, plan: Plan, *, run_id: str, watch: Watch) -> Replayed:
    """The outcome of each stay of the plan, now in the database in tenants of their own.

    1. The hotels are set up at the instant of the first action.
    2. Actions of one instant and kind are done together, in sets of up to SET_MAX as the API's writer
       makes them, those of up to HOTELS_AT_ONCE_MAX hotels at the same time.
    3. The clock goes to the next instant only when all is committed, and `watch` has returned: it is
       told how many actions of the plan have been done or, of refused stays, skipped since the last time.

    `run_id`: see `open_hotels`. Safe beside a worker and an API on the same database. Raises whatever a
    step is refused with: that is a fault of the engine, or somebody's hand in these bookings.
    """
    if not plan.actions:
        return Replayed()
    hotels = await open_hotels(engine, plan, run_id=run_id, at=plan.actions[0].at)
    replaying = _Replaying(engine, hotels)
    seconds = 0.0
    for (at, kind), actions in groupby(plan.actions, key=lambda action: (action.at, action.kind)):
        stays = [action.stay for action in actions]
        started = time.perf_counter()
        await replaying.do(at, kind, stays)
        seconds += time.perf_counter() - started
        await watch(len(stays))
    in_order = [action.stay.line for action in plan.actions if action.kind == "create"]
    return Replayed(
        hotels,
        booking_ids=replaying.booking_ids,
        refused={line: replaying.refused[line] for line in in_order if line in replaying.refused},
        seconds=seconds,
        operations=replaying.operations,
    )


class _Replaying:
    """A replay under way."""

    def __init__(self, engine: Engine, hotels: dict[str, Venue]) -> None:
        self._engine = engine
        self._hotels = hotels
        self._at_once = asyncio.Semaphore(HOTELS_AT_ONCE_MAX)
        self._versions: dict[int, int] = {}
        self.booking_ids: dict[int, UUID] = {}
        self.refused: dict[int, str] = {}
        self.operations = 0

    async def do(self, at: datetime, kind: ActionKind, stays: Sequence[Stay]) -> None:
        """All of one instant and kind, in order within each hotel, but what became of refused stays."""
        by_hotel: dict[str, list[Stay]] = {}
        for stay in stays:
            if stay.line not in self.refused:
                by_hotel.setdefault(stay.hotel, []).append(stay)
        try:
            async with asyncio.TaskGroup() as group:
                for name, own in by_hotel.items():
                    group.create_task(self._do(at, kind, own, self._hotels[name]))
        except ExceptionGroup as failures:
            # What went wrong first says it all; the others were cancelled for it.
            raise failures.exceptions[0] from failures

    async def _do(self, at: datetime, kind: ActionKind, stays: list[Stay], venue: Venue) -> None:
        async with self._at_once:
            for first in range(0, len(stays), SET_MAX):
                some = stays[first : first + SET_MAX]
                if kind == "create":
                    await self._create(at, some, venue)
                else:
                    await self._move(at, _STATUS[kind], some, venue)
                self.operations += len(some)

    async def _create(self, at: datetime, stays: Sequence[Stay], venue: Venue) -> None:
        wanted = [_wanted(stay, venue) for stay in stays]
        call = self._call(at, venue)
        outcomes = await call.run(create, wanted, places=self._engine.places, further_max=len(wanted))
        for stay, outcome in zip(stays, outcomes, strict=True):
            if isinstance(outcome, Refused):
                self.refused[stay.line] = outcome.error.code
            else:
                assert isinstance(outcome, Booked), "without keys, and with all locks, there is nothing else"
                self.booking_ids[stay.line] = outcome.booking.id
                self._versions[stay.line] = outcome.booking.version

    async def _move(self, at: datetime, to: Status, stays: Sequence[Stay], venue: Venue) -> None:
        asked = [
            Move(booking_id=self.booking_ids[stay.line], to=to, expected_version=self._versions[stay.line])
            for stay in stays
        ]
        moved = await self._call(at, venue).run(move_set, asked, venue=venue)
        for stay, booking in zip(stays, moved, strict=True):
            self._versions[stay.line] = booking.version

    def _call(self, at: datetime, venue: Venue) -> Call:
        return self._engine.db.call(
            SYSTEM,
            tenants=[venue.tenant_id],
            locks=[lock_key(venue.id)],
            now=at,
            own_clock=True,
            deadline_s=DEADLINE_S,
        )


def _wanted(stay: Stay, venue: Venue) -> Wanted:
    start, end = stay_span(stay)
    return Wanted(
        id=new_id(),
        tenant_id=venue.tenant_id,
        venue_id=venue.id,
        actor=SYSTEM,
        when=When(start=start, end=end),
        party_size=stay.party_size,
        preferences=Preferences(attributes=((ROOM_TYPE, stay.room_type),)),
        source=SOURCE,
        metadata={"line": stay.line},
    )
