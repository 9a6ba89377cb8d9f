"""What was answered under which idempotency key, as far as it is to be answered again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from .words import Answer, Request

CONFLICT = "IDEMPOTENCY_CONFLICT"
# 409, 429, 503, and what comes with other times to take: the same request may fare better another time.
NOT_KEPT = (
    "_NOT_AVAILABLE",
    "VERSION_CONFLICT",
    CONFLICT,
    "TOO_MANY_HOLDS",
    "OVERLOADED",
    "OUTSIDE_OPENING_HOURS",
    "PACING_EXCEEDED",
)


@dataclass(frozen=True)
class Key:
    """A key counts for one tenant and one operation."""

    tenant_id: UUID
    operation: str
    text: str


@dataclass(frozen=True)
class Given:
    """An answer, to whom and what, and until when it is kept."""

    request: Request
    answer: Answer
    until: datetime


class Answers:
    """The answers that are kept."""

    def __init__(self) -> None:
        self.given: dict[Key, Given] = {}

    def to(self, key: Key | None, request: Request, now: datetime) -> Answer | None:
        """What must be answered, whatever is the case now; None: it is to be decided."""
        given = None if key is None else self.given.get(key)
        if given is None or given.until <= now:
            return None
        return given.answer if given.request == request else Answer(CONFLICT, "")

    def keep(self, key: Key | None, request: Request, answer: Answer, now: datetime, *, hours: int) -> None:
        """Keeps it, if it is final."""
        if key is not None and not answer.code.endswith(NOT_KEPT):
            self.given[key] = Given(request, answer, now + timedelta(hours=hours))
