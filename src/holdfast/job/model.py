"""Jobs and dead letters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter

from holdfast.event.model import Event

TRIES_MAX = 5
"""How often a job is tried before it becomes a dead letter."""


@dataclass(frozen=True, slots=True)
class Job:
    """An event for one reaction.

    `lease`: by this number the worker that has it counts; each takes a higher one. `failures`: so far. `vanished`: how
    many workers have let their lease run out.
    """

    id: UUID
    event: Event
    lane: str
    reaction: str
    lease: int = 0
    failures: int = 0
    vanished: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that failed for good.

    `attempts`: since it was first tried, or last replayed. `error`: what kind of error and where, never
    its text. `delivered_at`: when a replay succeeded.
    """

    id: UUID
    event: Event
    lane: str
    reaction: str
    attempts: int
    error: str
    first_failed_at: datetime
    dead_at: datetime
    replayed_at: datetime | None
    replayed_by: str | None
    delivered_at: datetime | None


_EVENT = TypeAdapter(Event)


def event_from(text: str) -> Event:
    """The event as a job carries it; what a newer version wrote beside that is left out."""
    return _EVENT.validate_json(text)
