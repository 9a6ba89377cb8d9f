"""Events as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, JsonValue


class EventShown(BaseModel):
    """An event. `timestamp`: when it happened. `payload`: ids and facts, by type; nothing personal.
    `tenant`: its slug. `traceparent`: of the request that caused it (W3C Trace Context)."""

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
    """Events in commit order. `next`: give it as `after` to read on; it is there always."""

    items: list[EventShown]
    next: str
