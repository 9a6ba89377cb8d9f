"""What this process knows of how new things are, and from whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from holdfast.event.model import Committed, Event
from holdfast.live.cursor import public_epoch
from holdfast.live.floors import Floors, Stand

LAG_S_MAX = 1.0
"""A tail that was not at the end for so long is lost."""


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


class Freshness:
    """The floors of channels, kept by what the tail tells and by what this process commits."""

    def __init__(self, tail: Following) -> None:
        self.floors = Floors()
        self._tail = tail
        self._history: str | None = None

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

    def changed(self, events: Sequence[Event]) -> None:
        """A listener of the database: this process has committed these."""
        for venue_id in {each.venue_id for each in events if each.venue_id is not None}:
            self.floors.changed(venue_id)

    def is_following(self) -> bool:
        """Whether what is known counts. What others committed while the tail was lost, or in another history
        of the database, it may tell late or never: all is forgotten then, and again when it is back, since
        what was read meanwhile may be older than what it has skipped."""
        history = self._tail.history if self._tail.lag_s < LAG_S_MAX else None
        if history != self._history:
            self.floors.forget_all()
            self._history = history
        return history is not None

    def floor(self, venue_id: UUID, channel: str) -> Stand | None:
        """What must be reached by what is shown of the channel; None: ask the database."""
        return self.floors.floor(venue_id, channel) if self.is_following() else None
