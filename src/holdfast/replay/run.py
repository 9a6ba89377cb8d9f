"""Replays a booking history through the engine: every action at its original time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from holdfast.assigning.preferences import Preferences
from holdfast.booking.deciding.known import Refused
from holdfast.booking.making.create import Booked, create
from holdfast.booking.model import Details
from holdfast.booking.move import Move, move_set
from holdfast.booking.states import Status
from holdfast.booking.wanted import Wanted, When
from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.call import Call
from holdfast.kernel.db.tx import lock_key
from holdfast.kernel.ids import new_id
from holdfast.place.venue import Venue
from holdfast.replay.open_hotels import ROOM_TYPE, group_of, open_hotels
from holdfast.replay.plan import ActionKind, ReplayPlan, stay_span
from holdfast.replay.stay import Stay

SET_MAX: Final = 64
"""Maximum number of bookings created or changed in one transaction."""
HOTELS_AT_ONCE_MAX: Final = 4
"""Maximum number of connections in use."""
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
    """The results of a replay.

    `booking_ids`: of the accepted stays, by line. `refused`: codes by line, in the order of refusal; their later
    actions are skipped. `seconds`: for all actions, without setting up the hotels and without `watch`. `operations`:
    bookings requested and status changes.
    """

    hotels: dict[str, Venue] = field(default_factory=dict)
    booking_ids: dict[int, UUID] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    operations: int = 0


async def replay(
    engine: Engine, plan: ReplayPlan, *, run_id: str, watch: Watch, late: bool = False
) -> Replayed:
    """Replays the plan into the database, in its own tenants, and returns the outcome of each stay.

    1. Sets up the hotels at the time of the first action.
    2. Runs actions of the same time and kind together, in sets of up to SET_MAX like the API's writer, for up to
       HOTELS_AT_ONCE_MAX hotels at a time.
    3. Advances the clock when everything is committed and `watch` has returned. `watch` is called with the number of
       actions done since its last call, or skipped because their stay was refused.
    `run_id`, `late`: see `open_hotels`. An API and a worker may use the same database meanwhile. Raises the error of
    any step that is refused: that is a bug in the engine, or somebody else changed these bookings.
    """
    if not plan.actions:
        return Replayed()
    hotels = await open_hotels(engine, plan, run_id=run_id, at=plan.actions[0].at, late=late)
    replaying = _Replaying(engine, hotels, plan if late else None)
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
    """A replay in progress."""

    def __init__(self, engine: Engine, hotels: dict[str, Venue], by_type: ReplayPlan | None) -> None:
        """`by_type`: bookings ask for the types of this plan; None: for a room that has their type as an attribute."""
        self._engine = engine
        self._hotels = hotels
        self._by_type = by_type
        self._at_once = asyncio.Semaphore(HOTELS_AT_ONCE_MAX)
        self._versions: dict[int, int] = {}
        self.booking_ids: dict[int, UUID] = {}
        self.refused: dict[int, str] = {}
        self.operations = 0

    async def do(self, at: datetime, kind: ActionKind, stays: Sequence[Stay]) -> None:
        """Runs the actions of one time and kind, in order within each hotel, except those of refused stays."""
        by_hotel: dict[str, list[Stay]] = {}
        for stay in stays:
            if stay.line not in self.refused:
                by_hotel.setdefault(stay.hotel, []).append(stay)
        try:
            async with asyncio.TaskGroup() as group:
                for name, own in by_hotel.items():
                    group.create_task(self._do(at, kind, own, self._hotels[name]))
        except ExceptionGroup as failures:
            # The first error explains it; the other tasks were cancelled because of it.
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
        wanted = [_wanted(stay, venue, self._preferences(stay)) for stay in stays]
        call = self._call(at, venue)
        outcomes = await call.run(create, wanted, places=self._engine.places, further_max=len(wanted))
        for stay, outcome in zip(stays, outcomes, strict=True):
            if isinstance(outcome, Refused):
                self.refused[stay.line] = outcome.error.code
            else:
                assert isinstance(outcome, Booked), "without keys, and with all locks, there is nothing else"
                self.booking_ids[stay.line] = outcome.booking.id
                self._versions[stay.line] = outcome.booking.version

    def _preferences(self, stay: Stay) -> Preferences:
        if self._by_type is None:
            return Preferences(attributes=((ROOM_TYPE, stay.room_type),))
        return Preferences(group=group_of(self._by_type.hotels[stay.hotel], stay.room_type))

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


def _wanted(stay: Stay, venue: Venue, preferences: Preferences) -> Wanted:
    start, end = stay_span(stay)
    return Wanted(
        id=new_id(),
        tenant_id=venue.tenant_id,
        venue_id=venue.id,
        actor=SYSTEM,
        when=When(start=start, end=end),
        party_size=stay.party_size,
        preferences=preferences,
        details=Details(source=SOURCE, metadata={"line": stay.line}),
    )
