"""The hub: all live streams of this process and the tail that feeds them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog

from holdfast.event.model import Committed
from holdfast.kernel.db.database import Database
from holdfast.kernel.errors import Overloaded
from holdfast.kernel.failure import stack_of
from holdfast.live import metrics
from holdfast.live.broadcast import VENUE_UPDATED, Broadcaster, Touched, measure, send
from holdfast.live.channels import Channels, Passing
from holdfast.live.frames import comment
from holdfast.live.outlets import Packing
from holdfast.live.stream import Audience, End, Heartbeat, Outbox, Stream, Views
from holdfast.live.tail import Tail
from holdfast.place.places import Places
from holdfast.snapshot.names import Names

FULL_RETRY_S = 10

Listener = Callable[[Sequence[Committed]], None]
log = structlog.get_logger()


class Hub:
    """Connects the tail to the streams and to other listeners.

    `listeners` are called with every batch of events that the tail reads, in commit order, of all tenants. `lost` is
    called when the tail starts over (the database has another history, or a batch failed): what listeners learned
    before no longer counts. `enabled`: whether there is a tail; without one nobody can subscribe and no listener is
    called.
    """

    def __init__(
        self, db: Database, places: Places, *, enabled: bool = True, streams_max: int = 20_000
    ) -> None:
        self.names = Names(places)
        self.enabled = enabled
        self.streams_max = streams_max
        self.listeners: list[Listener] = []
        self.lost: list[Callable[[], None]] = []
        self.tail = Tail(db, self)
        self.channels = Channels(db)
        self.broadcaster = Broadcaster(self.channels)
        self.outbox = Outbox()
        self.streams: dict[Stream, Audience | None] = {}
        self._audiences: dict[tuple[Packing, Views], Audience] = {}
        self._beat = Heartbeat(comment=self._comment, slow=self.drop, on_beat=self._on_beat)
        self._passing = Passing(self.channels, places)
        self._closing = False
        self._db = db
        self._places = places

    @property
    def requests(self) -> int:
        """The number of streams that are responses to HTTP requests (SSE)."""
        return sum(1 for stream in self.streams if stream.packing.transport == "sse")

    def start(self) -> None:
        if self.enabled:
            self.tail.start()
            self._beat.start()

    async def stop(self) -> None:
        self.end_all()
        await self.tail.stop()
        await self._beat.stop()
        await self._passing.stop()

    def end_all(self) -> None:
        """Ends all streams and refuses new ones."""
        self._closing = True
        self._end("shutdown")

    def _end(self, why: End) -> None:
        for stream in list(self.streams):
            stream.end(why)

    # Streams.

    def admit(self, stream: Stream) -> None:
        """Registers the stream, with no channels yet. Raises Overloaded."""
        if self._closing:
            raise Overloaded("The service is stopping. Connect again shortly.")
        if len(self.streams) >= self.streams_max:
            raise Overloaded(
                f"This process already has {self.streams_max} live streams open, its maximum. Try again later.",
                retry_after_seconds=FULL_RETRY_S,
            )
        self.streams[stream] = None
        metrics.STREAMS.labels(stream.packing.transport).inc()
        self._beat.add(stream)

    def leave(self, stream: Stream) -> None:
        """Removes the stream and ends it."""
        if stream in self.streams:
            self.set_views(stream, ())
            del self.streams[stream]
            metrics.STREAMS.labels(stream.packing.transport).dec()
            self._beat.discard(stream)
        stream.end("left")

    def set_views(self, stream: Stream, views: Views) -> None:
        """From the next event on, the stream gets the events of exactly these channels."""
        before = self.streams.get(stream)
        self.streams[stream] = self._audience(stream.packing, views) if views else None
        now = self.streams[stream]
        if now is not None:
            now.streams[stream] = None
        if before is not None and before is not now:
            del before.streams[stream]
            if not before.streams:
                self._dissolve(before)

    def _audience(self, packing: Packing, views: Views) -> Audience:
        audience = self._audiences.get((packing, views))
        if audience is None:
            audience = self._audiences[packing, views] = Audience(packing, views)
            for key, name, viewer in views:
                channel = self.channels.get(key)
                assert channel is not None, "a channel must be open before it has readers"
                channel.audiences.setdefault(audience, []).append((name, viewer))
        return audience

    def _dissolve(self, audience: Audience) -> None:
        del self._audiences[audience.packing, audience.views]
        for key in {key for key, _, _ in audience.views}:
            channel = self.channels.get(key)
            if channel is not None and channel.audiences.pop(audience, None) is not None:
                channel.unread_since = time.monotonic()

    def _comment(self, stream: Stream) -> bytes:
        # A stream in no audience may be missing events: a cursor would skip them.
        has_audience = self.streams.get(stream) is not None
        return comment(self.broadcaster.cursor() if has_audience else None)

    def drop(self, stream: Stream) -> None:
        """Closes the stream of a slow reader, after a reset for each of its channels."""
        metrics.DROPS.inc()
        audience = self.streams.get(stream)
        views = () if audience is None else audience.views
        metrics.RESETS.labels("slow").inc(len(views))
        stream.drop(self.broadcaster.resets(stream.packing, views))
        if audience is not None:
            self.set_views(stream, ())

    def _on_beat(self) -> None:
        self.channels.forget_unread()
        self.look_at_clock(datetime.fromtimestamp(time.time() + self.tail.clock_ahead_s, UTC))

    def look_at_clock(self, now: datetime) -> None:
        """Resets the channels of slots of which guests can book more or less because the time has come."""
        touched: Touched = {}
        for channel, venue in self._passing.passed(now):
            self.broadcaster.reset_guests(channel, touched, staff_too=bool(venue.policy.held_back))
        for stream in send(touched):
            self.drop(stream)

    # Called by the tail.

    def begin(self, history: str, floor: int) -> None:
        if self.tail.history is not None and self.broadcaster.history not in ("", history):
            log.error("live_history_changed", history=history)
        self._start_over("history")
        self.broadcaster.begin(history, floor)

    def take(self, events: list[Committed]) -> None:
        try:
            touched = self.broadcaster.prepare(events)
            for stream in send(touched):
                self.drop(stream)
            if touched:
                self.outbox.add(lambda: measure(touched, clock_ahead_s=self.tail.clock_ahead_s))
            self._inform(events)
        except Exception as error:
            # We can't tell which readers got the events, so all start over.
            log.error("live_hub_failed", error=type(error).__qualname__, stack=stack_of(error))
            self._start_over("failure")
            self.broadcaster.begin(self.tail.history or "", events[-1].position)

    def _inform(self, events: list[Committed]) -> None:
        for committed in events:
            if committed.event.event_type == VENUE_UPDATED and committed.event.venue_id is not None:
                self._places.forget(committed.event.venue_id)
        for listener in self.listeners:
            listener(events)

    def _start_over(self, reason: str) -> None:
        for stream, audience in list(self.streams.items()):
            if audience is not None:
                metrics.RESETS.labels(reason).inc(len(audience.views))
                stream.send(self.broadcaster.resets(stream.packing, audience.views))
                stream.flush()
                self.set_views(stream, ())
        self._end("lost")
        self.channels.clear()
        for forget in self.lost:
            forget()
