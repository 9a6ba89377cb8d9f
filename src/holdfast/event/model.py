"""What an event is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

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


COLUMNS = """event.id, event.tenant_id, event.event_type, event.venue_id, event.subject_id, event.payload,
           event.actor, event.created_at, event.traceparent, event.channel"""
"""What `event_of` needs."""


def event_of(row: Any) -> Event:
    """The event of a row with COLUMNS."""
    return Event(
        id=row["id"],
        tenant_id=row["tenant_id"],
        event_type=row["event_type"],
        venue_id=row["venue_id"],
        subject_id=row["subject_id"],
        payload=orjson.loads(row["payload"]),
        actor=row["actor"],
        created_at=row["created_at"],
        traceparent=row["traceparent"],
        channel=row["channel"],
    )
