"""Request bodies that change a booking."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from holdfast.booking.deciding.wanted import When
from holdfast.booking.routes.fields import Metadata
from holdfast.booking.routes.requests import PARTY_MAX, DetailsBody, Key, Source, Version
from holdfast.booking.states import Status
from holdfast.kernel.body import Body
from holdfast.kernel.text import lines


class UpdateBooking(DetailsBody):
    """What to change. Omitted fields stay as they are; null clears a text."""

    expected_version: Version | None = None
    """The version that you last read; or send If-Match."""
    party_size: int | None = Field(default=None, ge=1, le=PARTY_MAX)
    source: Source | None = None
    metadata: Metadata | None = None

    @property
    def when_changed(self) -> When | None:
        """The requested time; None if it stays the same."""
        if self.names_a_start or self.end is not None or self.duration_minutes is not None:
            return self.when()
        return None


class CancelBooking(Body):
    """A cancellation."""

    unsaid: ClassVar[frozenset[str]] = frozenset({"reason", "metadata"})

    expected_version: Version | None = None
    """The version that you last read; or send If-Match."""
    reason: lines(500) | None = None  # pyright: ignore[reportInvalidTypeForm]
    idempotency_key: Key | None = None  # pyright: ignore[reportInvalidTypeForm]
    """Alternative to the Idempotency-Key header."""


class MoveBooking(Body):
    """A step to another status."""

    unsaid: ClassVar[frozenset[str]] = frozenset({"reason", "metadata"})

    to: Status
    expected_version: Version | None = None
    """The version that you last read; or send If-Match."""
    reason: lines(500) | None = None  # pyright: ignore[reportInvalidTypeForm]
    metadata: Metadata = Field(default_factory=dict)
