"""Request bodies about bookings, and the types of their fields."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from holdfast.assigning.preferences import Preferences
from holdfast.booking.deciding.wanted import Overriding
from holdfast.booking.model import Details, Guest
from holdfast.booking.routes.fields import Answers, Attributes, Metadata
from holdfast.booking.routes.sale import SaleBody
from holdfast.booking.routes.times import TimeBody
from holdfast.kernel.actor import Actor
from holdfast.kernel.body import Body
from holdfast.kernel.errors import Forbidden, Unauthenticated
from holdfast.kernel.text import Email, line, lines

RESOURCES_MAX = 50
PARTY_MAX = 100_000


def _each_once(value: tuple[UUID, ...]) -> tuple[UUID, ...]:
    if len(set(value)) != len(value):
        raise ValueError("must name each resource once")
    return value


ResourceIds = Annotated[
    tuple[UUID, ...], Field(min_length=1, max_length=RESOURCES_MAX), AfterValidator(_each_once)
]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
OverrideCode = Annotated[str, Field(pattern=r"^[A-Z_]{1,64}$", examples=["PACING_EXCEEDED"])]
OverrideCodes = Annotated[tuple[OverrideCode, ...], Field(min_length=1, max_length=20)]
Key = line(255)
Source = Literal["web", "phone", "email", "walk_in", "partner", "api", "import"]
"""Where a booking came from."""
GUEST_SOURCES: frozenset[Source] = frozenset({"web", "api"})
"""The sources that guests may use; the others are for staff."""


Group = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", examples=["double-sea"])]


class PreferencesBody(Body):
    """Which resources suit, if `resource_ids` is omitted. An omitted preference means that any will do."""

    kinds: tuple[line(50), ...] = Field(default=(), max_length=20)  # pyright: ignore[reportInvalidTypeForm]
    zones: tuple[line(100), ...] = Field(default=(), max_length=100)  # pyright: ignore[reportInvalidTypeForm]
    attributes: Attributes = Field(default_factory=dict)

    def value(self) -> Preferences:
        return Preferences(self.kinds, self.zones, tuple(sorted(self.attributes.items())))


class PlaceBody(Body):
    """Which resources are wanted: `resource_ids`, `group`, `preferences` or, for any that suit, none of them."""

    resource_ids: ResourceIds | None = None
    """The resources wanted, all of them or none. If omitted, the best fit."""
    group: Group | None = None
    """A type of the venue, such as `double-sea`: one resource of it."""
    preferences: PreferencesBody | None = None

    @model_validator(mode="after")
    def _one_way_of_saying_where(self) -> PlaceBody:
        if sum(each is not None for each in (self.resource_ids, self.group, self.preferences)) > 1:
            raise ValueError("give only one of resource_ids, group and preferences")
        return self

    @property
    def preferred(self) -> Preferences | None:
        """Which resources suit; None if the request does not say."""
        if self.group is not None:
            return Preferences(group=self.group)
        return None if self.preferences is None else self.preferences.value()


class PartyBody(PlaceBody):
    """The guest, and which resources are wanted."""

    unsaid: ClassVar[frozenset[str]] = frozenset({"guest_id", "guest_name", "guest_email", "guest_phone"})

    guest_id: line(128) | None = None  # pyright: ignore[reportInvalidTypeForm]
    guest_name: line(200) | None = None  # pyright: ignore[reportInvalidTypeForm]
    guest_email: Email | None = None
    guest_phone: line(40) | None = None  # pyright: ignore[reportInvalidTypeForm]

    def guest(self) -> Guest:
        return Guest(id=self.guest_id, name=self.guest_name, email=self.guest_email, phone=self.guest_phone)


class DetailsBody(PartyBody, TimeBody):
    """The fields that requests to create and to change a booking have in common."""

    unsaid: ClassVar[frozenset[str]] = PartyBody.unsaid | {
        "special_requests",
        "internal_notes",
        "metadata",
        "answers",
    }

    special_requests: lines(2000) | None = None  # pyright: ignore[reportInvalidTypeForm]
    internal_notes: lines(2000) | None = None  # pyright: ignore[reportInvalidTypeForm]
    """Staff only."""
    idempotency_key: Key | None = None  # pyright: ignore[reportInvalidTypeForm]
    """Alternative to the Idempotency-Key header."""

    def details(
        self, source: str, metadata: dict[str, Any], answers: dict[str, Any] | None = None
    ) -> Details:
        return Details(
            special_requests=self.special_requests,
            internal_notes=self.internal_notes,
            source=source,
            metadata=metadata,
            answers=answers or {},
        )


class OverrideBody(Body):
    """What staff overrule."""

    override: OverrideCodes | None = None
    """The codes of the rules to overrule, such as PACING_EXCEEDED. Staff only, as the policy's `may_override` says."""
    override_reason: lines(500) | None = None  # pyright: ignore[reportInvalidTypeForm]
    """Why. Required with `override`."""

    @model_validator(mode="after")
    def _with_a_reason(self) -> OverrideBody:
        if (self.override is None) != (self.override_reason is None):
            raise ValueError("give override and override_reason together")
        return self

    def overriding(self) -> Overriding | None:
        if self.override is None or self.override_reason is None:
            return None
        return Overriding(tuple(dict.fromkeys(self.override)), self.override_reason)


class NewBody(DetailsBody):
    """A new booking or series of bookings."""

    venue_id: UUID
    party_size: int = Field(ge=1, le=PARTY_MAX)
    """The number of guests."""

    @model_validator(mode="after")
    def _has_a_start(self) -> NewBody:
        self.check_start()
        return self


class CreateBooking(NewBody, OverrideBody, SaleBody):
    """A new booking."""

    hold: bool = False
    """Hold the resources until `expires_at` instead of booking them."""
    source: Source = "api"
    """Where the booking came from."""
    metadata: Metadata = Field(default_factory=dict)
    answers: Answers = Field(default_factory=dict)
    """Answers to the questions of the venue, by id of the question."""
    seen_version: int | None = Field(default=None, ge=0, le=2**63 - 1)
    """The version of the availability that the client displayed."""


class WalkIn(DetailsBody, OverrideBody, SaleBody):
    """A party without a booking, to be seated now."""

    venue_id: UUID
    party_size: int = Field(ge=1, le=PARTY_MAX)
    metadata: Metadata = Field(default_factory=dict)
    answers: Answers = Field(default_factory=dict)
    """Answers to the questions of the venue, by id of the question."""

    @model_validator(mode="after")
    def _starts_now(self) -> WalkIn:
        if self.names_a_start and self.arrival is None:
            raise ValueError("a walk-in starts now: omit the start, or make a booking")
        return self


class CheckAvailability(PlaceBody, SaleBody, TimeBody):
    """The time and the party to check availability for."""

    venue_id: UUID
    party_size: int = Field(ge=1, le=PARTY_MAX)
    except_booking: UUID | None = None
    """A booking that you may see and want to change: it is not in its own way."""
    source: Source = "api"
    """The source that the booking would have."""

    @model_validator(mode="after")
    def _has_a_start(self) -> CheckAvailability:
        self.check_start()
        return self


def check_notes(actor: Actor, *, is_said: bool) -> None:
    """Raises Forbidden if somebody other than staff sends internal notes. `is_said`: the request has some."""
    if is_said and not actor.is_staff:
        raise Forbidden("Internal notes are for staff: omit internal_notes.", needed_roles=["staff"])


def check_source(actor: Actor, source: Source) -> None:
    """Raises Forbidden if the actor may not use this source."""
    if not actor.is_staff and source not in GUEST_SOURCES:
        allowed = " or ".join(sorted(GUEST_SOURCES))
        raise Forbidden(
            f"The source {source} is for staff: guests can use {allowed}.", needed_roles=["staff"]
        )


def check_hold(actor: Actor, *, is_hold: bool) -> None:
    """Raises Unauthenticated if a caller without a token wants to hold: nobody could confirm that hold."""
    if is_hold and actor.kind == "anonymous":
        raise Unauthenticated("To hold a place, sign in; or book it at once, without hold.")
