"""The event."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from holdfast.kernel.value import value

SOURCE = "booking-reservation-service"
VERSION = "1.0"


@value()
class Event:
    """Something that happened. `payload`: ids and facts, no personal data.

    `channel`: the venue's channel that carries the event, if any. The emitter of such an event must hold the venue's
    lock since before the transaction's first write, so that versions follow commit order.
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
    """An event as read back. `position`: its place in commit order, from 1, without gaps.

    `version`: its number on its channel, 1 more than the event before it, within `epoch`. Both are None for an event
    without a channel. `written_at`: when its row was written, always by the database's clock.
    """

    position: int
    event: Event
    version: int | None
    epoch: int | None
    written_at: datetime


FIELDS = tuple(each.name for each in fields(Event))
COLUMNS = ", ".join(f"event.{name}" for name in FIELDS)
"""The event's columns that `committed_of` needs."""
