"""Response models of dead letters, for the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from holdfast.feed.shown import EventShown, envelope
from holdfast.job.model import DeadLetter
from holdfast.place.kept import Tenant


class DeadLetterShown(BaseModel):
    """An event for which a reaction failed on every try. `error`: the type of error and its place in the code.
    `delivered_at`: when a replay succeeded."""

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
    """Dead letters, newest first."""

    items: list[DeadLetterShown]
    next: str | None


def letter_shown(letter: DeadLetter, tenant: Tenant) -> dict[str, Any]:
    """Returns the dead letter in the form of DeadLetterShown, ready to encode as JSON."""
    shown = {name: getattr(letter, name) for name in DeadLetterShown.model_fields}
    return shown | {"event": envelope(letter.event, tenant)}
