"""Jobs and dead letters: the data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter

from holdfast.event.model import Event

TRIES_MAX = 5
"""How many times a job is tried before it becomes a dead letter."""


@dataclass(frozen=True, slots=True)
class Job:
    """An event to be handled by one reaction.

    `lease`: a fencing token; each worker that takes the job gets a higher one, and only the highest is valid.
    `failures`:
    so far. `vanished`: how many workers let their lease expire.
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
    """A job that failed permanently.

    `attempts`: since it was first tried, or last replayed. `error`: the type of error and its place in the code,
    never its message. `delivered_at`: when a replay succeeded.
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
    """Parses the event stored in a job; ignores fields added by a newer version."""
    return _EVENT.validate_json(text)
