"""The answers about events and dead letters, as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, JsonValue

from holdfast.dispatch.envelope import envelope
from holdfast.dispatch.store import DeadLetter
from holdfast.place.tenant import Tenant


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


class DeadLetterShown(BaseModel):
    """An event that a reaction failed on, each time it was tried. `error`: what kind of error and where.
    `delivered_at`: when a replay of it succeeded."""

    id: UUID
    reaction: str
    event: EventShown
    attempts: int
    error: str
    first_failed_at: datetime
    dead_at: datetime
    replayed_at: datetime | None
    replayed_by: str | None
    delivered_at: datetime | None


class DeadLettersShown(BaseModel):
    """Dead letters, the newest first."""

    items: list[DeadLetterShown]
    next: str | None


def letter_shown(letter: DeadLetter, tenant: Tenant) -> dict[str, Any]:
    """The dead letter, ready to be written as JSON."""
    return {
        "id": letter.id,
        "reaction": letter.reaction,
        "event": envelope(letter.event, tenant),
        "attempts": letter.attempts,
        "error": letter.error,
        "first_failed_at": letter.first_failed_at,
        "dead_at": letter.dead_at,
        "replayed_at": letter.replayed_at,
        "replayed_by": letter.replayed_by,
        "delivered_at": letter.delivered_at,
    }
