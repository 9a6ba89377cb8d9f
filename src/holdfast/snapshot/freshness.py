"""The newest version of each channel that this process has seen: an older snapshot is stale."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from holdfast.channel.names import public_epoch
from holdfast.event.model import Committed, Event

LAG_S_MAX = 1.0
"""A tail that has not reached the end of the events for this long is lost."""
VENUES_MAX = 10_000
CHANNELS_MAX = 50_000


class Tail(Protocol):
    """What follows the events (`live.tail`). `history`: the epoch of positions that it follows, None while it follows
    none. `lag_s`: seconds since it last reached their end."""

    @property
    def history(self) -> str | None: ...

    @property
    def lag_s(self) -> float: ...


class Freshness:
    """The floors of channels, kept by what the tail tells and by what this process commits."""

    def __init__(self, tail: Tail) -> None:
        self.floors = Floors()
        self._tail = tail
        self._history: str | None = None

    def on_events(self, events: Sequence[Committed]) -> None:
        """A listener of the hub: these were committed by somebody."""
        history = self._tail.history or ""
        for committed in events:
            event = committed.event
            if event.venue_id is None:
                continue
            if committed.epoch is not None:
                self.floors.observe(committed, public_epoch(committed.epoch, history))
            if event.event_type.startswith(("venue.", "block.")):
                # Windows, names and prices, or the reason of a block: they have no version on the channel.
                self.floors.invalidate(event.venue_id)

    def on_commit(self, events: Sequence[Event]) -> None:
        """A listener of the database: this process has committed these."""
        for venue_id in {each.venue_id for each in events if each.venue_id is not None}:
            self.floors.invalidate(venue_id)

    def is_following(self) -> bool:
        """Whether what is known counts. What others committed while the tail was lost, or in another history
        of the database, it may tell late or never: all is forgotten then, and again when it is back, since
        what was read meanwhile may be older than what it has skipped."""
        history = self._tail.history if self._tail.lag_s < LAG_S_MAX else None
        if history != self._history:
            self.floors.invalidate_all()
            self._history = history
        return history is not None

    def floor(self, venue_id: UUID, channel: str) -> Revision | None:
        """What must be reached by what is shown of the channel; None: ask the database."""
        return self.floors.floor(venue_id, channel) if self.is_following() else None


@dataclass(frozen=True, slots=True)
class Revision:
    """The version of a channel and of the rules of its venue. `epoch`: as clients see it."""

    epoch: str
    version: int
    rules_version: int

    def reaches(self, floor: Revision) -> bool:
        """Whether this is of the same history and no older."""
        return (
            self.epoch == floor.epoch
            and self.version >= floor.version
            and self.rules_version >= floor.rules_version
        )


@dataclass(slots=True)
class _Venue:
    generation: int
    floors: dict[str, Revision] = field(default_factory=dict)


class Floors:
    """The newest version of each channel that was read from the database or came with an event of the tail.

    A floor is known from a read on, until something else of the venue changed than what is told on the
    channel, or it was changed by this process, whose caller must find that at once: then the database
    is to be asked again. Each such change gives the venue another generation, so that a read which began before
    it does not count as one after it. No generation ever comes again.
    """

    def __init__(self) -> None:
        self.latest_generation = 0
        self._base_generation = 0
        self._venues: dict[UUID, _Venue] = {}
        self._floors = 0
        self._newest: OrderedDict[tuple[UUID, str], int] = OrderedDict()

    def generation(self, venue_id: UUID) -> int:
        """To be taken before a read."""
        venue = self._venues.get(venue_id)
        return self._base_generation if venue is None else venue.generation

    def floor(self, venue_id: UUID, channel: str) -> Revision | None:
        """What must be reached by what is shown of the channel; None: ask the database."""
        venue = self._venues.get(venue_id)
        return None if venue is None else venue.floors.get(channel)

    def read(self, venue_id: UUID, channel: str, revision: Revision, *, generation: int) -> None:
        """The channel was read; the read began when the venue had that generation."""
        self._note_version(venue_id, channel, revision.version)
        if self.generation(venue_id) != generation:
            return
        floor = self.floor(venue_id, channel)
        if floor is None:
            self._add(venue_id, channel, revision, generation=generation)
        elif floor.epoch != revision.epoch:
            self._forget(venue_id, channel)  # which of the two is the later one, the next read will tell
        elif revision.reaches(floor):
            self._venues[venue_id].floors[channel] = revision

    def observe(self, committed: Committed, epoch: str) -> None:
        """The tail told an event of a channel. `epoch`: its epoch as clients see it."""
        event = committed.event
        if event.venue_id is None or event.channel is None or committed.version is None:
            return
        self._note_version(event.venue_id, event.channel, committed.version)
        floor = self.floor(event.venue_id, event.channel)
        if floor is None:
            return
        if floor.epoch != epoch:
            self._forget(event.venue_id, event.channel)
        elif committed.version > floor.version:
            newer = Revision(epoch, committed.version, floor.rules_version)
            self._venues[event.venue_id].floors[event.channel] = newer

    def invalidate(self, venue_id: UUID) -> None:
        """Something of the venue changed: nothing is known of it until it was read again."""
        generation = self._next_generation()
        venue = self._venue(venue_id, generation)
        self._floors -= len(venue.floors)
        venue.floors.clear()
        venue.generation = generation

    def invalidate_all(self) -> None:
        """The tail was lost: nothing is known any more."""
        self._base_generation = self._next_generation()
        self._venues.clear()
        self._floors = 0

    def newest(self, venue_id: UUID, channel: str) -> int | None:
        """The newest version of the channel that this process has heard of lately. For statistics."""
        return self._newest.get((venue_id, channel))

    def channels(self) -> list[tuple[UUID, str]]:
        """The channels with a floor: the ones in use."""
        return [(id_, channel) for id_, venue in self._venues.items() for channel in venue.floors]

    def _add(self, venue_id: UUID, channel: str, revision: Revision, *, generation: int) -> None:
        if self._floors >= CHANNELS_MAX:
            self.invalidate_all()  # what somebody looks at is soon read again, and the rest was not
            return
        self._venue(venue_id, generation).floors[channel] = revision
        self._floors += 1

    def _forget(self, venue_id: UUID, channel: str) -> None:
        del self._venues[venue_id].floors[channel]
        self._floors -= 1

    def _next_generation(self) -> int:
        self.latest_generation += 1
        return self.latest_generation

    def _venue(self, venue_id: UUID, generation: int) -> _Venue:
        venue = self._venues.get(venue_id)
        if venue is None:
            if len(self._venues) >= VENUES_MAX:
                # All of them: of one that is left out, nobody would know that its generation was another.
                self.invalidate_all()
            venue = self._venues[venue_id] = _Venue(generation)
        return venue

    def _note_version(self, venue_id: UUID, channel: str, version: int) -> None:
        key = (venue_id, channel)
        self._newest[key] = max(version, self._newest.get(key, 0))
        self._newest.move_to_end(key)
        if len(self._newest) > CHANNELS_MAX:
            self._newest.popitem(last=False)
