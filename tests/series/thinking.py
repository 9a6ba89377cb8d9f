"""Runs series on an engine directly. Each time one has been planned but not written yet, a test can step in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID

from holdfast.assigning.preferences import Preferences
from holdfast.booking.wanted import Wanted, When
from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.idempotency import Done, Keyed, Reply
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from holdfast.place.opening.recurrence import parse
from holdfast.planning import Read, change_planned
from holdfast.series.change import SeriesCancellation, SeriesChange, cancel_series, change_series, plan_change
from holdfast.series.create import create_series
from holdfast.series.expand import SeriesWanted
from holdfast.series.model import OnConflict, Scope, SeriesDone
from holdfast.series.plan import plan_series
from tests.booking.asking import at, instant
from tests.conftest import House

TABLE = Preferences(kinds=("table",))


@dataclass
class Repeating:
    """Plans and writes series of a house.

    `meanwhile`: runs after each plan, before it is written. `writes`: whether a verb is running under the lock.
    `round_trips`: of the last verb.
    """

    engine: Engine
    house: House
    meanwhile: Callable[[], Awaitable[Any]] | None = None
    plans: int = 0
    round_trips: int = 0
    writes: bool = False

    async def asked(
        self, rrule: str = "FREQ=WEEKLY;COUNT=4", *slugs: str, party_size: int = 2, minutes: int = 90
    ) -> SeriesWanted:
        """From DAY at 18:00, on the named resources or at any table that fits."""
        venue = await self.engine.places.venue(UUID(self.house.venue_id))
        first = Wanted(
            id=new_id(),
            tenant_id=venue.tenant_id,
            venue_id=venue.id,
            actor=SYSTEM,
            when=When(start=instant("18:00"), duration_minutes=minutes),
            party_size=party_size,
            resource_ids=tuple(map(UUID, self.house.ids(*slugs))),
            preferences=Preferences() if slugs else TABLE,
        )
        return SeriesWanted(first=first, recurrence=parse(rrule))

    async def create(self, asked: SeriesWanted, on_conflict: OnConflict = OnConflict.REFUSE) -> SeriesDone:
        plan = partial(plan_series, asked=asked, on_conflict=on_conflict)
        return await self._done(plan, create_series)

    async def reply(self, asked: SeriesWanted, key: str) -> Reply:
        """Creates the series and returns the reply stored under the key."""
        plan = partial(plan_series, asked=asked, on_conflict=OnConflict.REFUSE)
        return (await self._ask(plan, create_series, key)).reply

    async def change(self, series: SeriesDone, **changes: Any) -> SeriesDone:
        """Changes all bookings of the series."""
        about = {"series_id": series.series.id, "expected_version": series.series.version}
        asked = SeriesChange(**about, scope=Scope.ALL, **changes)
        return await self._done(partial(plan_change, asked=asked, actor=SYSTEM), change_series)

    async def cancel(self, series: SeriesDone) -> SeriesDone:
        asked = SeriesCancellation(
            series_id=series.series.id, expected_version=series.series.version, scope=Scope.ALL
        )
        venue = await self.engine.places.venue(UUID(self.house.venue_id))
        verb = self._watched(cancel_series)
        done = await self.engine.change_once(SYSTEM, venue, verb, asked, key=None, show=show)
        assert done.value is not None
        return done.value

    async def _done(self, plan: Any, verb: Any) -> SeriesDone:
        done = await self._ask(plan, verb, None)
        assert done.value is not None
        return done.value

    async def _ask(self, plan: Any, verb: Any, key: str | None) -> Done[SeriesDone]:
        venue = await self.engine.places.venue(UUID(self.house.venue_id))
        keyed = None if key is None else Keyed(venue.tenant_id, "series", key, b"")

        async def planned(read: Read) -> Any:
            self.plans += 1
            made = await plan(partial(_looking, read), venue=venue, places=self.engine.places)
            if self.meanwhile is not None:
                await self.meanwhile()
            return made

        return await change_planned(
            self.engine, SYSTEM, venue, planned, self._watched(verb), key=keyed, show=show
        )

    def _watched(self, verb: Any) -> Any:
        async def watched(tx: Tx, *args: Any, **more: Any) -> Any:
            self.writes, before = True, tx.round_trips
            try:
                return await verb(tx, *args, **more)
            finally:
                self.writes, self.round_trips = False, tx.round_trips - before

        watched.__name__ = verb.__name__
        return watched


async def _looking(read: Read, verb: Any, *args: Any, **more: Any) -> Any:
    """Runs the verb, and checks that it only reads: its transaction gets no id."""

    async def look(tx: Tx) -> Any:
        found = await verb(tx, *args, **more)
        assert await tx.fetchval("SELECT pg_current_xact_id_if_assigned() IS NULL"), verb.__name__
        return found

    return await read(look)


def show(done: SeriesDone, _: Any) -> dict[str, Any]:
    return done.as_json()


def seats(house: House, series: SeriesDone) -> list[str]:
    """The table of each booking, by date."""
    slugs = {UUID(id_): slug for slug, id_ in house.resources.items()}
    return ["+".join(slugs[id_] for id_ in each.booking.resource_ids) for each in series.members]


def clocks(series: SeriesDone) -> list[str]:
    return [f"{each.booking.local_start:%H:%M}" for each in series.members]


def once(house: House, slug: str, day: int, start: str = "18:00") -> Any:
    """Returns a function that books the table the first time it is called."""
    came = count()

    async def book() -> None:
        if next(came) == 0:
            await house.booked(start=at(start, day), resource_ids=house.ids(slug))

    return book
