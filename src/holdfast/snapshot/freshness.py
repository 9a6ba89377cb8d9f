"""The newest revision of each channel that this process has seen. A snapshot older than that is stale."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from holdfast.channel.names import public_epoch
from holdfast.event.model import Committed, Event

LAG_S_MAX = 1.0
"""A tail that lags more than this is lost: nothing cached may be used."""
VENUES_MAX = 10_000
CHANNELS_MAX = 50_000


class EventTail(Protocol):
    """What freshness needs of `live.tail`. `history`: the history of positions it follows, None before its first read.
    `lag_s`: seconds since it last reached the end of the events."""

    @property
    def history(self) -> str | None: ...

    @property
    def lag_s(self) -> float: ...


class Freshness:
    """Updates the floors of channels from the tail's events and from this process's own commits."""

    def __init__(self, tail: EventTail) -> None:
        self.floors = Floors()
        self._tail = tail
        self._history: str | None = None

    def on_events(self, events: Sequence[Committed]) -> None:
        """A listener of the hub: called with the events that the tail has read, from any process."""
        history = self._tail.history or ""
        for committed in events:
            event = committed.event
            if event.venue_id is None:
                continue
            if committed.epoch is not None:
                self.floors.observe(committed, public_epoch(committed.epoch, history))
            if event.event_type.startswith(("venue.", "block.")):
                # These change windows, names, prices or a block's reason, which have no version on the channel.
                self.floors.invalidate(event.venue_id)

    def on_commit(self, events: Sequence[Event]) -> None:
        """A listener of the database: called with the events of each commit by this process."""
        for venue_id in {event.venue_id for event in events if event.venue_id is not None}:
            self.floors.invalidate(venue_id)

    def is_following(self) -> bool:
        """Whether the floors can be trusted: False while the tail is lost.

        Commits by other processes may then arrive late or, in another history, never. So all floors are dropped when
        the tail is lost, and again when it is back, since reads in between may be older than events it skipped.
        """
        history = self._tail.history if self._tail.lag_s < LAG_S_MAX else None
        if history != self._history:
            self.floors.invalidate_all()
            self._history = history
        return history is not None

    def floor(self, venue_id: UUID, channel: str) -> Revision | None:
        """Returns the oldest revision that may be served; None: read from the database."""
        return self.floors.floor(venue_id, channel) if self.is_following() else None


@dataclass(frozen=True, slots=True)
class Revision:
    """The version of a channel and the version of its venue's rules. `epoch`: the channel's, as clients see it."""

    epoch: str
    version: int
    rules_version: int

    def reaches(self, floor: Revision) -> bool:
        """Whether this has the floor's epoch and is no older in either version."""
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
    """The newest revision of each channel that was read from the database or arrived as an event.

    A read from the database sets a channel's floor. `invalidate` drops a venue's floors when something changed that has
    no version on the channel, or when this process changed the venue and its caller must see that at once. The next
    request then reads from the database. Each invalidation gives the venue a new generation, so that a read that
    began earlier sets no floor. Generations are never reused.
    """

    def __init__(self) -> None:
        self.latest_generation = 0
        self._base_generation = 0
        self._venues: dict[UUID, _Venue] = {}
        self._floors = 0
        self._newest: OrderedDict[tuple[UUID, str], int] = OrderedDict()

    def generation(self, venue_id: UUID) -> int:
        """Returns the venue's current generation. Get it before a read, and pass it to `read`."""
        venue = self._venues.get(venue_id)
        return self._base_generation if venue is None else venue.generation

    def floor(self, venue_id: UUID, channel: str) -> Revision | None:
        """Returns the oldest revision of the channel that may be served; None: read from the database."""
        venue = self._venues.get(venue_id)
        return None if venue is None else venue.floors.get(channel)

    def read(self, venue_id: UUID, channel: str, revision: Revision, *, generation: int) -> None:
        """Records a read of the channel. `generation`: the venue's when the read began."""
        self._note_version(venue_id, channel, revision.version)
        if self.generation(venue_id) != generation:
            return
        floor = self.floor(venue_id, channel)
        if floor is None:
            self._add(venue_id, channel, revision, generation=generation)
        elif floor.epoch != revision.epoch:
            self._forget(venue_id, channel)  # we can't tell which is later; the next read can
        elif revision.reaches(floor):
            self._venues[venue_id].floors[channel] = revision

    def observe(self, committed: Committed, epoch: str) -> None:
        """Records an event of a channel. `epoch`: the event's, as clients see it."""
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
        """Drops the venue's floors: the next request for each channel reads from the database."""
        generation = self._next_generation()
        venue = self._venue(venue_id, generation)
        self._floors -= len(venue.floors)
        venue.floors.clear()
        venue.generation = generation

    def invalidate_all(self) -> None:
        """Drops all floors, because the tail was lost or a bound was reached."""
        self._base_generation = self._next_generation()
        self._venues.clear()
        self._floors = 0

    def newest(self, venue_id: UUID, channel: str) -> int | None:
        """Returns the newest version of the channel that this process has seen recently. For statistics only."""
        return self._newest.get((venue_id, channel))

    def channels(self) -> list[tuple[UUID, str]]:
        """The channels with a floor: the ones in use."""
        return [(id_, channel) for id_, venue in self._venues.items() for channel in venue.floors]

    def _add(self, venue_id: UUID, channel: str, revision: Revision, *, generation: int) -> None:
        if self._floors >= CHANNELS_MAX:
            self.invalidate_all()  # channels in use are soon read again
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
                # Drop all: if one venue were evicted, its generation would fall back to the base, and be valid again.
                self.invalidate_all()
            venue = self._venues[venue_id] = _Venue(generation)
        return venue

    def _note_version(self, venue_id: UUID, channel: str, version: int) -> None:
        key = (venue_id, channel)
        self._newest[key] = max(version, self._newest.get(key, 0))
        self._newest.move_to_end(key)
        if len(self._newest) > CHANNELS_MAX:
            self._newest.popitem(last=False)
