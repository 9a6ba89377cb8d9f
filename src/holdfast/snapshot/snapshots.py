"""Serves snapshots from the cache while they are fresh, and from the database otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import timedelta
from typing import Any
from uuid import UUID

from holdfast.channel.names import PUBLIC_VIEW, Viewer
from holdfast.channel.slots import slots_of_day
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import part_s
from holdfast.kernel.errors import Overloaded
from holdfast.kernel.span import Span
from holdfast.place.opening import hours
from holdfast.place.places import Places
from holdfast.port.pricing import Pricing
from holdfast.snapshot.cache import TTL_S, CachedSnapshot, MemoryCache, SharedCache
from holdfast.snapshot.freshness import Freshness
from holdfast.snapshot.metrics import SNAPSHOTS
from holdfast.snapshot.shown import changes_at, entry_of
from holdfast.snapshot.take import SlotKey, Snapshot, take_snapshot

AT_ONCE_MAX = 4
WAIT_S_MAX = 1.5
SLOT_DAYS_MAX = 3
"""A slot may start on the day after its opening day, and end on the day after that."""
PUTS_MAX = 64
"""Concurrent writes to the shared cache; further entries are not written."""

_FROM_MEMORY, _FROM_REDIS, _FROM_DATABASE = (
    SNAPSHOTS.labels(source) for source in ("memory", "redis", "database")
)


class Snapshots:
    """Snapshots by slot and viewer.

    A cached entry is served only if it is as new as everything this process knows to be committed (`Freshness`): its
    own reads, events from the tail, and its own writes, which count before the writer gets its response. While the
    tail is lost, every snapshot is read from the database. The shared cache holds what the public sees only.
    `at_once_max`: concurrent reads from the database.
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
        self._flights: dict[tuple[str, int], asyncio.Task[CachedSnapshot]] = {}
        self._puts: set[asyncio.Task[None]] = set()
        self.floors = fresh.floors

    def newest_version(self, venue_id: UUID, span: Span) -> int | None:
        """Returns the newest known channel version of the slot that contains the span; None if it is unknown, or if not
        exactly one slot contains the span."""
        venue = self._places.at_hand(venue_id)
        if venue is None:
            return None
        day = hours.to_wall(span.start, venue.tz).date()
        slots = [
            slot
            for before in range(SLOT_DAYS_MAX)  # the previous days may be open past midnight
            for slot in slots_of_day(venue, day - timedelta(days=before))
            if slot.span.contains(span)
        ]
        return self.floors.newest(venue_id, slots[0].channel) if len(slots) == 1 else None

    async def get(self, wanted: SlotKey, viewer: Viewer) -> CachedSnapshot:
        """Returns the snapshot from the cache or the database; concurrent requests share one read.

        Raises what `take_snapshot` raises, and Overloaded.
        """
        viewer = self._as_far_as_it_matters(wanted, viewer)
        self._fresh.is_following()  # first, because it may invalidate all generations
        generation = self.floors.generation(wanted.venue_id)
        key = _key(wanted, viewer, generation)
        entry = self.memory.get(key)
        if entry is not None and self._is_good(wanted, entry):
            _FROM_MEMORY.inc()
            return entry
        # The generation is in the key so that a request after a change never joins a read that began before it.
        flight = self._flights.get((key, generation))
        if flight is None:
            flight = self._flights[key, generation] = asyncio.get_running_loop().create_task(
                self._fetch(wanted, viewer, key, generation), context=Context()
            )
            flight.add_done_callback(lambda done: self._landed((key, generation), done))
        return await asyncio.shield(flight)

    def _as_far_as_it_matters(self, wanted: SlotKey, viewer: Viewer) -> Viewer:
        """Leaves out the groups of guests for whom the venue holds nothing back."""
        venue = self._places.at_hand(wanted.venue_id)
        if venue is None or not viewer.groups:
            return viewer
        named = {each.for_ for each in venue.policy.held_back}
        return viewer._replace(groups=tuple(each for each in viewer.groups if each in named))

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Lets one response be built at a time, with a turn of the event loop before each: large venues take a while.

        Raises Overloaded after WAIT_S_MAX, or earlier when the request's deadline requires it.
        """
        try:
            async with asyncio.timeout(part_s(WAIT_S_MAX)):
                await self._answering.acquire()
        except TimeoutError:
            raise Overloaded("Too many requests for availability at once. Try again shortly.") from None
        try:
            await asyncio.sleep(0)
            yield
        finally:
            self._answering.release()

    def _landed(self, place: tuple[str, int], flight: asyncio.Task[CachedSnapshot]) -> None:
        self._flights.pop(place, None)
        if not flight.cancelled():
            flight.exception()  # marks the exception as retrieved, even if no request is waiting

    async def _fetch(self, wanted: SlotKey, viewer: Viewer, key: str, generation: int) -> CachedSnapshot:
        entry = await self._from_shared(wanted, viewer, key)
        if entry is not None:
            return entry
        snapshot = await self._take(wanted)
        self.floors.read(wanted.venue_id, snapshot.slot.channel, snapshot.revision, generation=generation)
        entry = entry_of(snapshot, viewer, pricing=self._pricing)
        _FROM_DATABASE.inc()
        if self.floors.generation(wanted.venue_id) == generation:
            following = changes_at(snapshot, viewer)
            lasts = timedelta.max if following is None else following - snapshot.at
            self.memory.put(key, entry, ttl_s=min(TTL_S, lasts.total_seconds()))
            if lasts.total_seconds() > TTL_S:
                self._share(key, entry, viewer)
        return entry

    async def _take(self, wanted: SlotKey) -> Snapshot:
        """Reads from the database, with a bound on concurrent reads that leaves connections for bookings."""
        try:
            async with asyncio.timeout(part_s(WAIT_S_MAX)):
                await self._at_once.acquire()
        except TimeoutError:
            raise Overloaded("Too many requests for availability at once. Try again shortly.") from None
        try:
            return await take_snapshot(self._db, wanted, places=self._places)
        finally:
            self._at_once.release()

    async def _from_shared(self, wanted: SlotKey, viewer: Viewer, key: str) -> CachedSnapshot | None:
        if (
            self._shared is None
            or viewer != PUBLIC_VIEW
            or self._fresh.floor(wanted.venue_id, wanted.channel) is None
        ):
            return None
        cached = await self._shared.get(key)
        if cached is None or not self._is_good(wanted, cached[0]):
            return None
        _FROM_REDIS.inc()
        self.memory.put(key, cached[0], ttl_s=cached[1])
        return cached[0]

    def _share(self, key: str, entry: CachedSnapshot, viewer: Viewer) -> None:
        if self._shared is None or viewer != PUBLIC_VIEW or len(self._puts) >= PUTS_MAX:
            return
        task = asyncio.get_running_loop().create_task(self._shared.put(key, entry), context=Context())
        self._puts.add(task)
        task.add_done_callback(self._puts.discard)

    def _is_good(self, wanted: SlotKey, entry: CachedSnapshot) -> bool:
        floor = self._fresh.floor(wanted.venue_id, wanted.channel)
        return floor is not None and entry.revision.reaches(floor)

    async def close(self) -> None:
        """Cancels pending reads and writes, and closes the shared cache."""
        under_way: list[asyncio.Task[Any]] = [*self._flights.values(), *self._puts]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        if self._shared is not None:
            await self._shared.close()


def _key(wanted: SlotKey, viewer: Viewer, generation: int) -> str:
    # A block's reason has no version, so a change of the venue must invalidate the staff's view: hence the generation.
    seen_by = (
        f"staff:{generation}" if viewer.is_staff else "guest" + "".join(f":{each}" for each in viewer.groups)
    )
    return f"{wanted.venue_id}:{wanted.channel}:{seen_by}"
