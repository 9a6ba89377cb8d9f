"""Request bodies about series."""

from __future__ import annotations

from datetime import time
from typing import ClassVar

from pydantic import Field, model_validator

from holdfast.booking.routes.fields import Key, Metadata, Source, Version
from holdfast.booking.routes.requests import (
    MINUTES_MAX,
    PARTY_MAX,
    Day,
    DetailsBody,
    NewBody,
    PreferencesBody,
    ResourceIds,
)
from holdfast.kernel.body import Body
from holdfast.kernel.text import Email, line, lines
from holdfast.place.opening.parse_rrule import TEXT_CHARS_MAX
from holdfast.place.opening.spans import WallTime
from holdfast.series.model import OnConflict, Scope

ABOUT_A_PERSON = DetailsBody.unsaid | {"changes", "reason"}


class CreateSeries(NewBody):
    """A repeating booking, always at the same time on the venue's clock."""

    party_size: int = Field(ge=1, le=PARTY_MAX)
    """The number of guests."""
    rrule: line(TEXT_CHARS_MAX)  # pyright: ignore[reportInvalidTypeForm]
    """RFC 5545: FREQ (DAILY, WEEKLY, MONTHLY), INTERVAL, BYDAY, and COUNT or UNTIL."""
    on_conflict: OnConflict = OnConflict.REFUSE
    """If an occurrence is not available: refuse the series, skip it, or take the nearest free time that day."""
    source: Source = "api"
    """Where the bookings came from."""
    metadata: Metadata = Field(default_factory=dict)


class _About(Body):
    """Which bookings of a series to change."""

    unsaid: ClassVar[frozenset[str]] = ABOUT_A_PERSON

    scope: Scope
    """One occurrence, one and those after it, or all. Only bookings that are still to come are affected."""
    occurrence_on: Day | None = None
    """The date of the occurrence, as the series shows it. Omit it if the scope is all."""
    expected_version: Version | None = None
    """The version of the series that you last read; or send If-Match."""
    idempotency_key: Key | None = None  # pyright: ignore[reportInvalidTypeForm]
    """Alternative to the Idempotency-Key header."""

    @model_validator(mode="after")
    def _names_the_occurrence(self) -> _About:
        if (self.scope is Scope.ALL) != (self.occurrence_on is None):
            raise ValueError(
                "give occurrence_on if the scope is one or this_and_following, but not if it is all"
            )
        return self


class ChangesWanted(Body):
    """What to change. Omitted fields stay as they are; null clears a text."""

    unsaid: ClassVar[frozenset[str]] = ABOUT_A_PERSON

    booking_time: WallTime | None = None
    """The start time on the venue's clock, HH:MM. Each booking keeps its date."""
    duration_minutes: int | None = Field(default=None, ge=1, le=MINUTES_MAX)
    party_size: int | None = Field(default=None, ge=1, le=PARTY_MAX)
    resource_ids: ResourceIds | None = None
    preferences: PreferencesBody | None = None
    guest_name: line(200) | None = None  # pyright: ignore[reportInvalidTypeForm]
    guest_email: Email | None = None
    guest_phone: line(40) | None = None  # pyright: ignore[reportInvalidTypeForm]
    special_requests: lines(2000) | None = None  # pyright: ignore[reportInvalidTypeForm]
    internal_notes: lines(2000) | None = None  # pyright: ignore[reportInvalidTypeForm]
    """Staff only."""

    @model_validator(mode="after")
    def _changes_something(self) -> ChangesWanted:
        if not self.model_fields_set:
            raise ValueError("give at least one field to change")
        if self.resource_ids is not None and self.preferences is not None:
            raise ValueError("give resource_ids or preferences, not both")
        required = ("booking_time", "duration_minutes", "party_size", "resource_ids", "preferences")
        for name in required:
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name} can be changed but not removed: omit it to keep it")
        return self

    @property
    def clock(self) -> time | None:
        return None if self.booking_time is None else time.fromisoformat(self.booking_time)


class ChangeSeries(_About):
    """A change to bookings of a series."""

    on_conflict: OnConflict = OnConflict.REFUSE
    """If a booking can't be changed: refuse the whole change, or skip it."""
    changes: ChangesWanted

    @model_validator(mode="after")
    def _can_be_done(self) -> ChangeSeries:
        if self.on_conflict is OnConflict.ALTERNATIVES:
            raise ValueError("on_conflict of a change must be refuse or skip")
        return self


class CancelSeries(_About):
    """Which bookings of a series to cancel."""

    reason: lines(500) | None = None  # pyright: ignore[reportInvalidTypeForm]
