"""The channels that this process follows, each with its version at the tail's position."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextvars import Context
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog

from holdfast.channel.guests import changes_at
from holdfast.channel.names import ChannelKey, Viewer, slot_of
from holdfast.channel.slots import slots_of_day
from holdfast.channel.store import forget, open_channel
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx, lock_key
from holdfast.kernel.errors import Overloaded
from holdfast.kernel.failure import stack_of
from holdfast.live import store
from holdfast.live.frames import ChannelEvent
from holdfast.live.stream import Audience
from holdfast.place.places import Places
from holdfast.place.venue import Venue

UNREAD_TTL_S = 60.0
"""A channel stays in memory this long after its last reader left, so that a reconnecting reader finds it open."""
OPENING_AT_ONCE_MAX = 3
"""Database connections that opening channels may use at a time."""
CLOSED_AFTER = timedelta(days=7)
OPEN_FOR_MIN = timedelta(hours=1)
LOOK_EVERY = timedelta(seconds=1)
LATE = timedelta(milliseconds=300)
"""Readers are told so long after the time has come, so that nobody gets a snapshot from before."""
LOOK_S = 0.02
"""For so long one look works out when the time of new channels comes; the rest is for the next."""
LOADED_AT_ONCE_MAX = 20
"""Venues that are loaded between two looks."""

log = structlog.get_logger()


class Channel:
    """A channel that this process follows.

    `epoch`: None until the version has been read. `pins`: the number of readers that need it but are not yet in an
    audience.
    """

    __slots__ = (
        "audiences",
        "epoch",
        "key",
        "opened_here",
        "opening",
        "passed_at",
        "pins",
        "seen",
        "unread_since",
        "version",
    )

    def __init__(self, key: ChannelKey) -> None:
        self.key = key
        self.epoch: int | None = None
        self.version = 0
        self.audiences: dict[Audience, list[tuple[bytes, Viewer]]] = {}
        self.pins = 0
        self.opening: asyncio.Task[None] | None = None
        self.opened_here = 0
        """The tail's position when this process opened the channel, 0 if another did. No earlier event was sent."""
        self.passed_at = -1
        """The tail's position when its readers last got a reset because of the time; -1: never."""
        self.seen: list[ChannelEvent] = []
        self.unread_since = time.monotonic()

    def follows(self, event: ChannelEvent) -> bool:
        """Moves to the event's version; returns whether it is the next one (False: there is a gap)."""
        is_next = event.epoch == self.epoch and event.version == self.version + 1
        self.epoch, self.version = event.epoch, event.version
        return is_next


class Channels:
    """The channels by key."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._by_key: OrderedDict[ChannelKey, Channel] = OrderedDict()
        self._at_once = asyncio.Semaphore(OPENING_AT_ONCE_MAX)
        self.position = 0
        """The last position that the tail has read."""

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._by_key.values())

    def get(self, key: ChannelKey) -> Channel | None:
        return self._by_key.get(key)

    def clear(self) -> None:
        """Forgets all channels, because the database has another history."""
        self._by_key.clear()

    async def pin(self, key: ChannelKey) -> Channel:
        """Returns the channel, open and with its version, and keeps it in memory until `unpin`. Raises Overloaded."""
        channel = self._by_key.get(key)
        if channel is None:
            channel = self._by_key[key] = Channel(key)
        channel.pins += 1
        if channel.epoch is None:
            if channel.opening is None:
                work = self._open(channel)
                channel.opening = asyncio.get_running_loop().create_task(work, context=Context())
            try:
                await asyncio.shield(channel.opening)
            except BaseException:
                self.unpin(channel)
                raise
        return channel

    def unpin(self, channel: Channel) -> None:
        channel.pins -= 1
        channel.unread_since = time.monotonic()

    async def _open(self, channel: Channel) -> None:
        try:
            async with asyncio.timeout(5), self._at_once:
                channel.seen.clear()
                at = await self._as_of(channel) or await self._opened(channel)
        except TimeoutError:
            raise Overloaded("The channel could not be opened in time. Try again shortly.") from None
        finally:
            channel.opening = None
        channel.epoch, channel.version = at
        for event in channel.seen:
            channel.follows(event)
        channel.seen.clear()

    async def _as_of(self, channel: Channel) -> tuple[int, int] | None:
        call = self._db.call(SYSTEM, tenants=[channel.key[0]])
        channel.seen.clear()
        return await call.run(store.as_of, channel.key, self.position)

    async def _opened(self, channel: Channel) -> tuple[int, int]:
        tenant_id, venue_id, name = channel.key
        channel.opened_here = self.position
        # Under the venue's lock: no running change can have seen the channel closed.
        call = self._db.call(SYSTEM, tenants=[tenant_id], locks=[lock_key(venue_id)])
        await call.run(open_channel, tenant_id=tenant_id, venue_id=venue_id, name=name)
        at = await self._as_of(channel)
        if at is None:
            raise Overloaded("The channel was closed again. Try again shortly.")
        return at

    def forget_unread(self) -> None:
        """Drops channels that have had no reader for UNREAD_TTL_S."""
        before = time.monotonic() - UNREAD_TTL_S
        gone = [
            key
            for key, channel in self._by_key.items()
            if not channel.audiences and not channel.pins and channel.unread_since < before
        ]
        for key in gone:
            del self._by_key[key]


class Passing:
    """Finds the channels of slots of which guests can book more or less only because time has passed: it is too late,
    not too far ahead any more, or released.

    There is no event for that, since nothing happens: the version stays, and the snapshot says what is so now.
    """

    def __init__(self, channels: Channels, places: Places) -> None:
        self._channels = channels
        self._places = places
        self._looks: dict[Channel, _Look] = {}
        self._looked_at: datetime | None = None
        self._is_behind = False
        self._loading: asyncio.Task[None] | None = None

    def passed(self, now: datetime) -> Iterator[tuple[Channel, Venue]]:
        """Yields these channels, each once it is LATE. `now`: by the database's clock. It looks at all channels with
        readers, at most once per LOOK_EVERY, unless the last look did not get to all of them."""
        last = self._looked_at or now
        if self._looked_at is not None and now < last + LOOK_EVERY and not self._is_behind:
            return
        self._looked_at, before, unknown = now, self._looks, dict[UUID, None]()
        self._looks, self._is_behind = {}, False
        worked, began = 0, time.perf_counter()
        new = _Look(until=last - LATE)  # readers who have come since may have a snapshot from just after that
        for channel in self._channels:
            at = slot_of(channel.key[2])
            if at is None or not channel.audiences:
                continue
            look, venue = before.get(channel, new), self._places.at_hand(channel.key[1])
            is_new = venue is not None and look.version != venue.rules_version
            if venue is None:
                unknown[channel.key[1]] = None
            elif is_new and worked and time.perf_counter() - began >= LOOK_S:
                self._is_behind = True
            else:
                worked += is_new
                look = look.by_rules_of(venue, *at)
                if look.due is not None and look.due + LATE <= now:
                    yield channel, venue
                    look = _Look(until=now - LATE)  # the next look works out when its time comes again
                else:
                    look = look._replace(until=now - LATE)
            self._looks[channel] = look
        self._load(list(unknown)[:LOADED_AT_ONCE_MAX])

    def _load(self, venue_ids: list[UUID]) -> None:
        """Starts to load venues whose rules have changed: it may be that nobody asks this process for anything else."""
        if venue_ids and (self._loading is None or self._loading.done()):
            self._loading = asyncio.get_running_loop().create_task(self._known(venue_ids), context=Context())

    async def _known(self, venue_ids: list[UUID]) -> None:
        for venue_id in venue_ids:
            try:
                await self._places.known(venue_id)
            except Exception as error:  # the next look tries again
                log.info("live_venue_not_loaded", venue_id=str(venue_id), stack=stack_of(error))

    async def stop(self) -> None:
        """Stops loading."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)


class _Look(NamedTuple):
    """What is known of a channel. `until`: up to when its readers have been told; `due`: the next instant after that by
    this version of the rules, None if there is none."""

    until: datetime
    version: int | None = None
    due: datetime | None = None

    def by_rules_of(self, venue: Venue, day: date, slot_id: str) -> _Look:
        if self.version == venue.rules_version:
            return self
        slot = next((each for each in slots_of_day(venue, day) if each.id == slot_id), None)
        due = None if slot is None else changes_at(venue, slot, after=self.until)
        return _Look(self.until, venue.rules_version, due)


async def close_channels(tx: Tx, limit: int) -> int:
    """Closes up to `limit` channels whose day was more than CLOSED_AFTER ago; returns the number closed.
    Nobody reads channels that old. A tick."""
    return await forget(
        tx, before=(tx.now - CLOSED_AFTER).date(), opened_before=tx.now - OPEN_FOR_MIN, limit=limit
    )
