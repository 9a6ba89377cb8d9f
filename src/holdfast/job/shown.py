"""The answers about dead letters, as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from holdfast.feed.shown import EventShown, envelope
from holdfast.job.model import DeadLetter
from holdfast.place.tenant import Tenant


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
    shown = {name: getattr(letter, name) for name in DeadLetterShown.model_fields}
    return shown | {"event": envelope(letter.event, tenant)}
