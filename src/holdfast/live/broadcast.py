"""Builds frames of events and resets for each audience, and sends them to its readers."""

from __future__ import annotations

import time
from collections import Counter, deque

import structlog

from holdfast.channel.names import ChannelKey, Viewer, public_epoch
from holdfast.event.model import Committed
from holdfast.live import frames, metrics
from holdfast.live.channels import Channel, Channels
from holdfast.live.frames import ChannelEvent, channel_event, cursor_of
from holdfast.live.outlets import Packing
from holdfast.live.stream import Audience, Stream, Views

REPLAY_EVENTS_MAX = 10_000
"""Size of the replay buffer. A reader that missed more events, of all channels together, gets a reset."""
VENUE_UPDATED = "venue.updated"
RULES = ""
"""Channel name under which the ring stores changes of a venue's rules; no real channel is named so."""

Touched = dict[Audience, list[ChannelEvent]]
log = structlog.get_logger()


class Ring:
    """A replay buffer for readers that reconnect: the last REPLAY_EVENTS_MAX events of all channels.

    It is complete after position `floor`.
    """

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self._all: deque[ChannelEvent] = deque()
        self._by_key: dict[ChannelKey, deque[ChannelEvent]] = {}

    def add(self, event: ChannelEvent) -> None:
        """Appends the next event in commit order."""
        self._all.append(event)
        self._by_key.setdefault(event.key, deque()).append(event)
        if len(self._all) > REPLAY_EVENTS_MAX:
            self._drop_first()

    def since(self, key: ChannelKey, after: int) -> list[ChannelEvent]:
        """Returns the channel's events after the position, oldest first. `after` must be at least `floor`."""
        events: list[ChannelEvent] = []
        for event in reversed(self._by_key.get(key, ())):
            if event.position <= after:
                break
            events.append(event)
        events.reverse()
        return events

    def _drop_first(self) -> None:
        first = self._all.popleft()
        self.floor = first.position
        of_key = self._by_key[first.key]
        of_key.popleft()
        if not of_key:
            del self._by_key[first.key]


class Broadcaster:
    """Turns events into frames for the audiences of their channels. `position`: of the last event processed."""

    def __init__(self, channels: Channels) -> None:
        self.channels = channels
        self.begin("", 0)

    def begin(self, history: str, floor: int) -> None:
        """Starts over at position `floor` of a history, with an empty replay buffer."""
        self.history = history
        self.ring = Ring(floor)
        self.channels.position = floor

    @property
    def position(self) -> int:
        return self.channels.position

    def cursor(self) -> str:
        """Returns the cursor of a reader that has been sent everything so far."""
        return cursor_of(self.position, self.history)

    def prepare(self, events: list[Committed]) -> Touched:
        """Adds the events' frames to the `pending` of each audience; returns the audiences with their events."""
        touched: Touched = {}
        for committed in events:
            self.channels.position = committed.position
            if committed.event.channel is not None:
                self._event(channel_event(committed), touched)
            elif committed.event.event_type == VENUE_UPDATED:
                self._rules_changed(committed, touched)
        return touched

    def _event(self, event: ChannelEvent, touched: Touched) -> None:
        self.ring.add(event)
        channel = self.channels.get(event.key)
        if channel is None:
            return
        if channel.epoch is None:
            channel.seen.append(event)
        elif channel.follows(event):
            self._pend(channel, event, touched)
        else:
            log.error("live_gap", channel=event.key[2], epoch=event.epoch, version=event.version)
            self._reset(channel, "gap", event, touched)

    def _pend(self, channel: Channel, event: ChannelEvent, touched: Touched) -> None:
        made: dict[tuple[frames.Transport, bytes, Viewer], bytes] = {}
        for audience, seen_as in channel.audiences.items():
            for name, viewer in seen_as:
                kind = (audience.packing.transport, name, viewer)
                if kind not in made:
                    made[kind] = self.frame(event, transport=kind[0], name=name, viewer=viewer)
                audience.pending.append(made[kind])
            touched.setdefault(audience, []).append(event)

    def frame(
        self, event: ChannelEvent, *, transport: frames.Transport, name: bytes, viewer: Viewer
    ) -> bytes:
        """Returns the event's frame for readers with this transport, channel name and view."""
        epoch, cursor = public_epoch(event.epoch, self.history), cursor_of(event.position, self.history)
        return frames.event_frame(transport, event, name=name, viewer=viewer, epoch=epoch, cursor=cursor)

    def _rules_changed(self, committed: Committed, touched: Touched) -> None:
        """Resets the venue's availability channels: its slots and their states may have changed without an event."""
        event, at = committed.event, committed.position
        assert event.venue_id is not None
        key = (event.tenant_id, event.venue_id, RULES)
        change = ChannelEvent(at, key, 0, 0, VENUE_UPDATED, committed.written_at, staff=b"", guest=b"")
        self.ring.add(change)
        for channel in self.channels:
            if channel.key[:2] == key[:2] and is_availability(channel.key[2]):
                self._reset(channel, "rules", change, touched)

    def reset_guests(self, channel: Channel, touched: Touched, *, staff_too: bool) -> None:
        """Resets the channel for guests, because time has changed what they can book. `staff_too`: staff see that."""
        channel.passed_at = self.position
        for audience, seen_as in channel.audiences.items():
            views = tuple(
                (channel.key, name, viewer) for name, viewer in seen_as if staff_too or not viewer.is_staff
            )
            if views:
                audience.pending += self.resets(audience.packing, views)
                metrics.RESETS.labels("time").inc(len(audience.streams) * len(views))
                touched.setdefault(audience, [])

    def _reset(self, channel: Channel, reason: str, event: ChannelEvent, touched: Touched) -> None:
        for audience, seen_as in channel.audiences.items():
            views = tuple((channel.key, name, viewer) for name, viewer in seen_as)
            audience.pending += self.resets(audience.packing, views)
            metrics.RESETS.labels(reason).inc(len(audience.streams) * len(views))
            touched.setdefault(audience, []).append(event)

    def resets(self, packing: Packing, views: Views) -> list[bytes]:
        """Returns one reset frame per channel."""
        return [self._reset_frame(packing, key, name) for key, name, _ in views]

    def _reset_frame(self, packing: Packing, key: ChannelKey, name: bytes) -> bytes:
        channel = self.channels.get(key)
        epoch, version = (0, 0) if channel is None else (channel.epoch or 0, channel.version)
        return frames.reset_frame(
            packing.transport,
            name=name,
            epoch=public_epoch(epoch, self.history),
            version=version,
            cursor=self.cursor(),
        )


def send(touched: Touched) -> list[Stream]:
    """Sends every audience its pending frames; returns the streams whose backlog is full."""
    slow: list[Stream] = []
    delivered = Counter[frames.Transport]()
    for audience, events in touched.items():
        pending, audience.pending = audience.pending, []
        parts = audience.packing.pack(pending)
        size = sum(map(len, parts))
        slow += [stream for stream in audience.streams if not stream.push(parts, size)]
        delivered[audience.packing.transport] += len(audience.streams) * len(events)
    for transport, number in delivered.items():
        metrics.DELIVERED.labels(transport).inc(number)
    return slow


def measure(touched: Touched, *, clock_ahead_s: float) -> None:
    """Records the delivery time of each event; call it once they are written to all readers."""
    now = time.time() + clock_ahead_s
    written = {event.position: event for events in touched.values() for event in events}
    for event in written.values():
        metrics.DELIVERY_SECONDS.observe(max(0.0, now - event.written_at.timestamp()))


def is_availability(channel: str) -> bool:
    """Whether it is a channel of a slot's availability: their names start with a date."""
    return channel[:1].isdigit()
