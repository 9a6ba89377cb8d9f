"""What clients send about bookings, and what that means."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any, ClassVar
from uuid import UUID

from pydantic import Field, model_validator

from holdfast.booking.deciding.choose import ANYTHING, Preferences
from holdfast.booking.deciding.wanted import When
from holdfast.booking.model import Details, Guest
from holdfast.booking.routes.fields import (
    MINUTES_MAX,
    PARTY_MAX,
    Attributes,
    Day,
    Instant,
    Key,
    Metadata,
    ResourceIds,
    Source,
    Version,
)
from holdfast.booking.states import Status
from holdfast.kernel.body import Body
from holdfast.kernel.text import Email, line, lines
from holdfast.place.opening.spans import WallTime


class PreferencesBody(Body):
    """Which resources will do when none is named; what is left out is all the same to the guest."""

    kinds: tuple[line(50), ...] = Field(default=(), max_length=20)  # pyright: ignore[reportInvalidTypeForm]
    zones: tuple[line(100), ...] = Field(default=(), max_length=100)  # pyright: ignore[reportInvalidTypeForm]
    attributes: Attributes = Field(default_factory=dict)

    def value(self) -> Preferences:
        return Preferences(self.kinds, self.zones, tuple(sorted(self.attributes.items())))


class TimeBody(Body):
    """When: `start`, or `booking_date` with `booking_time`, or `date` with `slot_id`; then `end` or
    `duration_minutes`, or neither."""

    start: Instant | None = None
    """Instant of the start, RFC 3339 with an offset."""
    booking_date: Day | None = None
    """Date of the start on the venue's calendar."""
    booking_time: WallTime | None = None
    """Time of the start on the venue's clock, HH:MM."""
    date: Day | None = None
    """Date of the slot's opening day."""
    slot_id: line(63) | None = None  # pyright: ignore[reportInvalidTypeForm]
    """Slot of the venue."""
    end: Instant | None = None
    """Instant of the end, RFC 3339 with an offset."""
    duration_minutes: int | None = Field(default=None, ge=1, le=MINUTES_MAX)
    """Length in minutes, in place of `end`."""

    @model_validator(mode="after")
    def _one_way_of_saying_it(self) -> TimeBody:
        if (self.booking_date is None) != (self.booking_time is None):
            raise ValueError("give booking_date and booking_time together")
        if (self.date is None) != (self.slot_id is None):
            raise ValueError("give date and slot_id together")
        ways = (self.start, self.booking_date, self.date)
        if sum(way is not None for way in ways) > 1:
            raise ValueError("give only one of start, booking_date with booking_time, and date with slot_id")
        if self.end is not None and self.duration_minutes is not None:
            raise ValueError("give end or duration_minutes, not both")
        if self.date is not None and (self.end is not None or self.duration_minutes is not None):
            raise ValueError("a slot has its own length: leave end and duration_minutes out")
        return self

    @property
    def names_a_start(self) -> bool:
        return any(way is not None for way in (self.start, self.booking_date, self.date))

    def when(self) -> When:
        """The time as it was asked for."""
        wall = None
        if self.booking_date is not None and self.booking_time is not None:
            wall = datetime.combine(self.booking_date, time.fromisoformat(self.booking_time))
        return When(
            start=self.start,
            wall=wall,
            day=self.date,
            slot_id=self.slot_id,
            end=self.end,
            duration_minutes=self.duration_minutes,
        )


class PartyBody(Body):
    """Who comes, and where they want to sit."""

    unsaid: ClassVar[frozenset[str]] = frozenset({"guest_id", "guest_name", "guest_email", "guest_phone"})

    resource_ids: ResourceIds | None = None
    """The resources wanted, all of them or none. Left out: the best fit is taken."""
    preferences: PreferencesBody | None = None
    guest_id: line(128) | None = None  # pyright: ignore[reportInvalidTypeForm]
    guest_name: line(200) | None = None  # pyright: ignore[reportInvalidTypeForm]
    guest_email: Email | None = None
    guest_phone: line(40) | None = None  # pyright: ignore[reportInvalidTypeForm]

    @model_validator(mode="after")
    def _named_or_preferred(self) -> PartyBody:
        if self.resource_ids is not None and self.preferences is not None:
            raise ValueError("give resource_ids or preferences, not both")
        return self

    def preferred(self) -> Preferences:
        return ANYTHING if self.preferences is None else self.preferences.value()

    def guest(self) -> Guest:
        return Guest(id=self.guest_id, name=self.guest_name, email=self.guest_email, phone=self.guest_phone)


class DetailsBody(PartyBody, TimeBody):
    """What create and update both take."""

    unsaid: ClassVar[frozenset[str]] = PartyBody.unsaid | {"special_requests", "internal_notes", "metadata"}

    special_requests: lines(2000) | None = None  # pyright: ignore[reportInvalidTypeForm]
    internal_notes: lines(2000) | None = None  # pyright: ignore[reportInvalidTypeForm]
    """Staff only."""
    idempotency_key: Key | None = None  # pyright: ignore[reportInvalidTypeForm]
    """In place of the header Idempotency-Key."""

    def details(self, source: str, metadata: dict[str, Any]) -> Details:
        said = self.said("special_requests", "internal_notes")
        return Details(**said, source=source, metadata=metadata)


class NewBody(DetailsBody):
    """A booking that is wanted, once or again and again."""

    venue_id: UUID
    party_size: int = Field(ge=1, le=PARTY_MAX)
    """Guests."""

    @model_validator(mode="after")
    def _has_a_start(self) -> NewBody:
        if not self.names_a_start:
            raise ValueError("say when: start, or booking_date with booking_time, or date with slot_id")
        return self


class CreateBooking(NewBody):
    """A booking that is wanted."""

    hold: bool = False
    """Keep it for a short while (`expires_at`) instead of booking it."""
    source: Source = "api"
    """Where the booking came from."""
    metadata: Metadata = Field(default_factory=dict)
    seen_version: int | None = Field(default=None, ge=0, le=2**63 - 1)
    """The version of the availability that the client looked at."""


class WalkIn(DetailsBody):
    """A party at the door, to be seated now."""

    venue_id: UUID
    party_size: int = Field(ge=1, le=PARTY_MAX)
    metadata: Metadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _starts_now(self) -> WalkIn:
        if self.names_a_start:
            raise ValueError("a walk-in starts now: leave the start out, or make a booking")
        return self


class UpdateBooking(DetailsBody):
    """What is to be different; fields that are left out stay as they are, null empties a text."""

    expected_version: Version | None = None
    """The version you saw; or If-Match."""
    party_size: int | None = Field(default=None, ge=1, le=PARTY_MAX)
    source: Source | None = None
    metadata: Metadata | None = None

    @property
    def when_changed(self) -> When | None:
        """The time asked for, None when it is to stay."""
        if self.names_a_start or self.end is not None or self.duration_minutes is not None:
            return self.when()
        return None


class CancelBooking(Body):
    """A cancellation."""

    unsaid: ClassVar[frozenset[str]] = frozenset({"reason", "metadata"})

    expected_version: Version | None = None
    """The version you saw; or If-Match."""
    reason: lines(500) | None = None  # pyright: ignore[reportInvalidTypeForm]
    idempotency_key: Key | None = None  # pyright: ignore[reportInvalidTypeForm]
    """In place of the header Idempotency-Key."""


class MoveBooking(Body):
    """A step to another status."""

    unsaid: ClassVar[frozenset[str]] = frozenset({"reason", "metadata"})

    to: Status
    expected_version: Version | None = None
    """The version you saw; or If-Match."""
    reason: lines(500) | None = None  # pyright: ignore[reportInvalidTypeForm]
    metadata: Metadata = Field(default_factory=dict)


class CheckAvailability(Body):
    """A span and a party: is there room?"""

    venue_id: UUID
    start: Instant
    end: Instant | None = None
    duration_minutes: int | None = Field(default=None, ge=1, le=MINUTES_MAX)
    party_size: int = Field(ge=1, le=PARTY_MAX)
    resource_ids: ResourceIds | None = None
    preferences: PreferencesBody | None = None

    @model_validator(mode="after")
    def _one_length(self) -> CheckAvailability:
        if self.end is not None and self.duration_minutes is not None:
            raise ValueError("give end or duration_minutes, not both")
        if self.resource_ids is not None and self.preferences is not None:
            raise ValueError("give resource_ids or preferences, not both")
        return self
