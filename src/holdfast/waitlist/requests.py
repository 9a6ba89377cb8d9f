"""What clients send about the waitlist, and what that means."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import Field, model_validator

from holdfast.booking.fields import MINUTES_MAX, PARTY_MAX, Instant, Key, ResourceIds, text
from holdfast.booking.requests import PreferencesBody
from holdfast.booking.wanted import ANYTHING, Guest
from holdfast.kernel.body import Body
from holdfast.waitlist.join import Joining


class JoinWaitlist(Body):
    """A party that waits for a place to come free."""

    unsaid: ClassVar[frozenset[str]] = frozenset({"guest_id", "guest_name", "guest_email", "guest_phone"})

    venue_id: UUID
    party_size: int = Field(ge=1, le=PARTY_MAX)
    """Guests."""
    earliest: Instant
    """The earliest start that suits, RFC 3339 with an offset."""
    latest: Instant
    """The latest start that suits, RFC 3339 with an offset; at most 31 days after `earliest`."""
    duration_minutes: int | None = Field(default=None, ge=1, le=MINUTES_MAX)
    """Length in minutes; the venue's default for such a party if left out."""
    resource_ids: ResourceIds | None = None
    """The resources wanted, all of them. Left out: any that seat the party."""
    preferences: PreferencesBody | None = None
    guest_id: text(128) | None = None  # pyright: ignore[reportInvalidTypeForm]
    guest_name: text(200) | None = None  # pyright: ignore[reportInvalidTypeForm]
    guest_email: text(254) | None = None  # pyright: ignore[reportInvalidTypeForm]
    guest_phone: text(40) | None = None  # pyright: ignore[reportInvalidTypeForm]
    idempotency_key: Key | None = None  # pyright: ignore[reportInvalidTypeForm]
    """In place of the header Idempotency-Key."""

    @model_validator(mode="after")
    def _named_or_preferred(self) -> JoinWaitlist:
        if self.resource_ids is not None and self.preferences is not None:
            raise ValueError("give resource_ids or preferences, not both")
        return self

    def guest(self) -> Guest:
        return Guest(id=self.guest_id, name=self.guest_name, email=self.guest_email, phone=self.guest_phone)

    def joining(self, id_: UUID, *, guest: Guest, ip: str | None) -> Joining:
        """What is asked for, for that guest, from that address."""
        return Joining(
            id=id_,
            party_size=self.party_size,
            earliest=self.earliest,
            latest=self.latest,
            duration_minutes=self.duration_minutes,
            resource_ids=self.resource_ids or (),
            preferences=ANYTHING if self.preferences is None else self.preferences.value(),
            guest=guest,
            ip=ip,
        )
