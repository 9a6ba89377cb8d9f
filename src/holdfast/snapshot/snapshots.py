"""Snapshots for many who look: from the cache while that is as good as the database, and else from there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import timedelta
from typing import Any
from uuid import UUID

from holdfast.channel.state import slots_of_day
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.deadline import part_s
from holdfast.kernel.errors import Overloaded
from holdfast.kernel.span import Span
from holdfast.place.opening import hours
from holdfast.place.places import Places
from holdfast.port.pricing import Pricing
from holdfast.snapshot.cache import Entry, MemoryCache, SharedCache
from holdfast.snapshot.freshness import Freshness
from holdfast.snapshot.metrics import SNAPSHOTS
from holdfast.snapshot.shown import View, entry_of
from holdfast.snapshot.take import SlotKey, Snapshot, take_snapshot

AT_ONCE_MAX = 4
WAIT_S_MAX = 1.5
PUTS_MAX = 64
"""Entries on their way to the shared cache; more than that are not sent."""

_FROM_MEMORY, _FROM_REDIS, _FROM_DATABASE = (
    SNAPSHOTS.labels(each) for each in ("memory", "redis", "database")
)


class Snapshots:
    """Snapshots by slot and view.

    What is cached is shown only if it is as new as all that this process knows to be committed (`Freshness`): what
    it read itself, what the tail of the events told it, and what it wrote, from before the writer was
    answered. While the tail is lost, everything is read from the database. A shared cache has the view of
    guests alone. `at_once_max`: reads from the database at a time.
    """

    def __init__(
        self,
        db: Database,
        places: Places,
        pricing: Pricing,
        fresh: Freshness,
        *,
        at_once_max: int = AT_ONCE_MAX,
        memory: MemoryCache | None = None,
        shared: SharedCache | None = None,
    ) -> None:
        self._db = db
        self._places = places
        self._pricing = pricing
        self._fresh = fresh
        self._at_once = asyncio.Semaphore(at_once_max)
        self._answering = asyncio.Lock()
        self.memory = MemoryCache() if memory is None else memory
        self._shared = shared
        self._flights: dict[tuple[str, int], asyncio.Task[Entry]] = {}
        self._puts: set[asyncio.Task[None]] = set()
        self.floors = fresh.floors

    def newest_version(self, venue_id: UUID, span: Span) -> int | None:
        """The newest version known of the one slot that the span lies in; None if none is, or it lies in
        several."""
        venue = self._places.at_hand(venue_id)
        if venue is None:
            return None
        day = hours.to_wall(span.start, venue.tz).date()
        slots = [
            slot
            for each in (day - timedelta(days=1), day)  # a day that is open past midnight
            for slot in slots_of_day(venue, each)
            if slot.span.contains(span)
        ]
        return self.floors.newest(venue_id, slots[0].channel) if len(slots) == 1 else None

    async def get(self, wanted: SlotKey, view: View) -> Entry:
        """The snapshot: from the cache, or from the database, once for all who ask meanwhile.

        Raises what `take_snapshot` does.
        """
        self._fresh.is_following()  # first: it may find that all marks are others now
        generation = self.floors.generation(wanted.venue_id)
        key = _key(wanted, view, generation)
        entry = self.memory.get(key)
        if entry is not None and self._is_good(wanted, entry):
            _FROM_MEMORY.inc()
            return entry
        # Who asks after a change of the venue must not get what was read before it: hence the generation.
        flight = self._flights.get((key, generation))
        if flight is None:
            flight = self._flights[key, generation] = asyncio.get_running_loop().create_task(
                self._fetch(wanted, view, key, generation), context=Context()
            )
            flight.add_done_callback(lambda done: self._landed((key, generation), done))
        return await asyncio.shield(flight)

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """One answer at a time, and whatever else is ready between two: those of large venues take a while to send.

        Raises Overloaded after WAIT_S_MAX or what is left of the request's time.
        """
        try:
            async with asyncio.timeout(part_s(WAIT_S_MAX)):
                await self._answering.acquire()
        except TimeoutError:
            raise Overloaded("Too many look at once. Try again shortly.") from None
        try:
            await asyncio.sleep(0)
            yield
        finally:
            self._answering.release()

    def _landed(self, place: tuple[str, int], flight: asyncio.Task[Entry]) -> None:
        self._flights.pop(place, None)
        if not flight.cancelled():
            flight.exception()  # seen, also when nobody waits any more

    async def _fetch(self, wanted: SlotKey, view: View, key: str, generation: int) -> Entry:
        entry = await self._from_shared(wanted, view, key)
        if entry is not None:
            return entry
        found = await self._take(wanted)
        self.floors.read(wanted.venue_id, found.slot.channel, found.revision, generation=generation)
        entry = entry_of(found, view, pricing=self._pricing)
        _FROM_DATABASE.inc()
        if self.floors.generation(wanted.venue_id) == generation:
            self.memory.put(key, entry)
            self._share(key, entry, view)
        return entry

    async def _take(self, wanted: SlotKey) -> Snapshot:
        """From the database; not too many at once, so that connections are left for those who book."""
        try:
            async with asyncio.timeout(part_s(WAIT_S_MAX)):
                await self._at_once.acquire()
        except TimeoutError:
            raise Overloaded("Too many look at once. Try again shortly.") from None
        try:
            return await take_snapshot(self._db, wanted, places=self._places)
        finally:
            self._at_once.release()

    async def _from_shared(self, wanted: SlotKey, view: View, key: str) -> Entry | None:
        if (
            self._shared is None
            or view != "guest"
            or self._fresh.floor(wanted.venue_id, wanted.channel) is None
        ):
            return None
        cached = await self._shared.get(key)
        if cached is None or not self._is_good(wanted, cached[0]):
            return None
        _FROM_REDIS.inc()
        self.memory.put(key, cached[0], ttl_s=cached[1])
        return cached[0]

    def _share(self, key: str, entry: Entry, view: View) -> None:
        if self._shared is None or view != "guest" or len(self._puts) >= PUTS_MAX:
            return
        task = asyncio.get_running_loop().create_task(self._shared.put(key, entry), context=Context())
        self._puts.add(task)
        task.add_done_callback(self._puts.discard)

    def _is_good(self, wanted: SlotKey, entry: Entry) -> bool:
        floor = self._fresh.floor(wanted.venue_id, wanted.channel)
        return floor is not None and entry.revision.reaches(floor)

    async def close(self) -> None:
        """Lets go of what is under way and of the shared cache."""
        under_way: list[asyncio.Task[Any]] = [*self._flights.values(), *self._puts]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        if self._shared is not None:
            await self._shared.close()


def _key(wanted: SlotKey, view: View, generation: int) -> str:
    # Reasons of blocks have no version: those kept for staff go with any change of the venue.
    seen_by = "guest" if view == "guest" else f"staff:{generation}"
    return f"{wanted.venue_id}:{wanted.channel}:{seen_by}"
