"""What an event is."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

SOURCE = "booking-reservation-service"
VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `payload` holds ids and facts and no personal data.

    `channel`: the channel of its venue that carries it, if any. Whoever emits such an event has held the venue's lock
    since before the first write of the transaction, so that versions grow in commit order.
    """

    id: UUID
    tenant_id: UUID
    event_type: str
    venue_id: UUID | None
    subject_id: UUID
    payload: dict[str, Any]
    actor: str
    created_at: datetime
    traceparent: str | None = None
    channel: str | None = None


class Committed(NamedTuple):
    """An event as read back. `position`: its place in commit order, 1 and up, without gaps.

    `version`: its number on its channel, 1 more than the one before; counted within `epoch`. Both None for
    an event on no channel. `written_at`: when its row was written, by the database's clock, whatever
    clock the change itself went by.
    """

    position: int
    event: Event
    version: int | None
    epoch: int | None
    written_at: datetime


FIELDS = tuple(each.name for each in fields(Event))
COLUMNS = ", ".join(f"event.{name}" for name in FIELDS)
"""What `committed_of` needs of the event itself."""
