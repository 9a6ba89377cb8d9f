"""Snapshots for many who look: from the cache while that is as good as the database, and else from there."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from holdfast.channel.touched import slots_of_day
from holdfast.kernel.db import Database
from holdfast.kernel.events import Committed
from holdfast.kernel.span import Span
from holdfast.live.cache import TTL_S, Entry, MemoryCache, SharedCache
from holdfast.live.cursor import public_epoch
from holdfast.live.floors import Floors
from holdfast.live.snapshot import Wanted, take_snapshot
from holdfast.live.snapshot_metrics import SNAPSHOTS
from holdfast.live.snapshot_shown import View, entry_of
from holdfast.place import hours
from holdfast.place.places import Places
from holdfast.port.pricing import Pricing

SUBJECTS_MAX = 20_000
LAG_S_MAX = 1.0
"""A tail that was not at the end for so long is lost."""
PUTS_MAX = 64
"""Entries on their way to the shared cache; more than that are not sent."""

_FROM_MEMORY, _FROM_REDIS, _FROM_DATABASE = (
    SNAPSHOTS.labels(each) for each in ("memory", "redis", "database")
)


class Following(Protocol):
    """The tail of the events, which tells this process what others commit."""

    @property
    def history(self) -> str | None:
        """Which history of the database it reads; None before it could read any."""
        ...

    @property
    def lag_s(self) -> float:
        """For how long it has not been at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A slot as a client names it."""

    tenant: str
    venue: str
    date: str
    slot_id: str | None


class Snapshots:
    """Snapshots by slot and view; `found` and `wanted_of` are what routes ask.

    What is kept is shown only if it is as new as all that this process knows to be committed (`Floors`): what
    it read itself, what the tail of the events told it, and what it wrote, from before the writer was
    answered. While the tail is not current, everything is read from the database. A shared cache has
    the view of guests alone.
    """

    def __init__(
        self,
        db: Database,
        places: Places,
        pricing: Pricing,
        tail: Following,
        *,
        memory: MemoryCache | None = None,
        shared: SharedCache | None = None,
    ) -> None:
        self._db = db
        self._places = places
        self._pricing = pricing
        self._tail = tail
        self.memory = MemoryCache() if memory is None else memory
        self._shared = shared
        self._flights: dict[tuple[str, int], asyncio.Task[Entry]] = {}
        self._puts: set[asyncio.Task[None]] = set()
        self._subjects: OrderedDict[Asked, tuple[Wanted, int, float]] = OrderedDict()
        self._history: str | None = None
        self.floors = Floors()

    # What it is told.

    def told(self, events: Sequence[Committed]) -> None:
        """A listener of the hub: these were committed by somebody."""
        history = self._tail.history or ""
        for committed in events:
            event = committed.event
            if event.venue_id is None:
                continue
            if committed.epoch is not None:
                self.floors.told(committed, public_epoch(committed.epoch, history))
            if event.event_type.startswith(("venue.", "block.")):
                # Windows, names and prices, or the reason of a block: they have no version on the channel.
                self.floors.changed(event.venue_id)

    def changed(self, venue_ids: Collection[UUID]) -> None:
        """A listener of the database: this process has committed something of these venues."""
        for venue_id in venue_ids:
            self.floors.changed(venue_id)

    # What it is asked.

    def known(self, asked: Asked) -> Wanted | None:
        """What is meant by it, if that was `learnt` and did not change since."""
        kept = self._subjects.get(asked)
        if kept is None or not self._is_following():
            return None
        wanted, mark, until = kept
        if mark != self.floors.mark(wanted.venue_id) or until <= time.monotonic():
            return None
        self._subjects.move_to_end(asked)
        return wanted

    def moment(self) -> int:
        """To be taken before it is looked up what is meant."""
        return self.floors.latest_mark

    def learnt(self, asked: Asked, wanted: Wanted, *, since: int) -> None:
        """What is meant was looked up, beginning at that moment."""
        mark = self.floors.mark(wanted.venue_id)
        if mark > since:
            return  # The venue changed meanwhile.
        self._subjects[asked] = (wanted, mark, time.monotonic() + TTL_S)
        self._subjects.move_to_end(asked)
        if len(self._subjects) > SUBJECTS_MAX:
            self._subjects.popitem(last=False)

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

    async def found(self, wanted: Wanted, view: View) -> Entry:
        """The snapshot: from the cache, or from the database, once for all who ask meanwhile.

        Raises what `take_snapshot` does.
        """
        mark = self.floors.mark(wanted.venue_id)
        key = _key(wanted, view, mark)
        entry = self.memory.get(key)
        if entry is not None and self._is_good(wanted, entry):
            _FROM_MEMORY.inc()
            return entry
        # Who asks after a change of the venue must not get what was read before it: hence the mark.
        flight = self._flights.get((key, mark))
        if flight is None:
            flight = self._flights[key, mark] = asyncio.get_running_loop().create_task(
                self._fetch(wanted, view, key, mark), context=Context()
            )
            flight.add_done_callback(lambda done: self._landed((key, mark), done))
        return await asyncio.shield(flight)

    def _landed(self, place: tuple[str, int], flight: asyncio.Task[Entry]) -> None:
        self._flights.pop(place, None)
        if not flight.cancelled():
            flight.exception()  # seen, also when nobody waits any more

    async def _fetch(self, wanted: Wanted, view: View, key: str, mark: int) -> Entry:
        entry = await self._from_shared(wanted, view, key)
        if entry is not None:
            return entry
        found = await take_snapshot(self._db, wanted, places=self._places)
        self.floors.read(wanted.venue_id, found.slot.channel, found.stand, mark=mark)
        entry = entry_of(found, view, pricing=self._pricing)
        _FROM_DATABASE.inc()
        if self.floors.mark(wanted.venue_id) == mark:
            self.memory.put(key, entry)
            self._share(key, entry, view)
        return entry

    async def _from_shared(self, wanted: Wanted, view: View, key: str) -> Entry | None:
        if self._shared is None or view != "guest" or not self._has_floor(wanted):
            return None
        kept = await self._shared.get(key)
        if kept is None or not self._is_good(wanted, kept[0]):
            return None
        _FROM_REDIS.inc()
        self.memory.put(key, kept[0], ttl_s=kept[1])
        return kept[0]

    def _share(self, key: str, entry: Entry, view: View) -> None:
        if self._shared is None or view != "guest" or len(self._puts) >= PUTS_MAX:
            return
        task = asyncio.get_running_loop().create_task(self._shared.put(key, entry), context=Context())
        self._puts.add(task)
        task.add_done_callback(self._puts.discard)

    def _is_good(self, wanted: Wanted, entry: Entry) -> bool:
        floor = self.floors.floor(wanted.venue_id, wanted.channel) if self._is_following() else None
        return floor is not None and entry.stand.reaches(floor)

    def _has_floor(self, wanted: Wanted) -> bool:
        return self._is_following() and self.floors.floor(wanted.venue_id, wanted.channel) is not None

    def _is_following(self) -> bool:
        """Whether what is known of channels counts. What others committed while the tail was lost, or in
        another history of the database, it may tell late or never: all is forgotten then, and again
        when it is back, since what was read meanwhile may be older than what it has skipped."""
        history = self._tail.history if self._tail.lag_s < LAG_S_MAX else None
        if history != self._history:
            self.floors.forget_all()
            self._history = history
        return history is not None

    async def close(self) -> None:
        """Lets go of what is under way and of the shared cache."""
        under_way: list[asyncio.Task[Any]] = [*self._flights.values(), *self._puts]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        if self._shared is not None:
            await self._shared.close()


def _key(wanted: Wanted, view: View, mark: int) -> str:
    # Reasons of blocks have no version: those kept for staff go with any change of the venue.
    seen_by = "guest" if view == "guest" else f"staff:{mark}"
    return f"{wanted.venue_id}:{wanted.channel}:{seen_by}"
