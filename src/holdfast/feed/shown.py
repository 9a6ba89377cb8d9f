"""Response models of events, for clients and the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, JsonValue

from holdfast.event.model import SOURCE, VERSION, Event
from holdfast.place.kept import Tenant


class EventShown(BaseModel):
    """An event. `timestamp`: when it happened. `payload`: ids and facts, by type, no personal data. `tenant`: its slug.
    `traceparent`: of the request that caused it (W3C Trace Context)."""

    id: UUID
    event_type: str
    payload: dict[str, JsonValue]
    timestamp: datetime
    source: str
    version: str
    tenant: str
    venue_id: UUID | None
    actor: str
    traceparent: str | None


class EventsShown(BaseModel):
    """Events in commit order. `next`: always present; pass it as `after` to read on."""

    items: list[EventShown]
    next: str


def envelope(event: Event, tenant: Tenant) -> dict[str, Any]:
    """Returns the event with its envelope, ready to encode as JSON."""
    return {
        "id": event.id,
        "event_type": event.event_type,
        "payload": event.payload,
        "timestamp": event.created_at,
        "source": SOURCE,
        "version": VERSION,
        "tenant": tenant.slug,
        "venue_id": event.venue_id,
        "actor": event.actor,
        "traceparent": event.traceparent,
    }
