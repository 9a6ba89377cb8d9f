"""Request bodies about bookings, and the types of their fields."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, Any, ClassVar, TypeVar
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator

from holdfast.assigning.preferences import Preferences
from holdfast.booking.model import Details, Guest
from holdfast.booking.routes.fields import (
    Answers,
    Extras,
    Group,
    Key,
    Metadata,
    OverrideCodes,
    PreferencesBody,
)
from holdfast.booking.wanted import Overriding, When
from holdfast.kernel.body import Body
from holdfast.kernel.http import InstantText, whole_minute
from holdfast.kernel.text import Email, line, lines
from holdfast.place.opening.spans import WallTime

RESOURCES_MAX = 50
PARTY_MAX = 100_000
D = TypeVar("D", bound=date)
YEAR_MIN, YEAR_MAX = 2000, 2200
MINUTES_MAX = 366 * 24 * 60
NIGHTS_MAX = 366


def _in_years(value: D) -> D:
    if not YEAR_MIN <= value.year <= YEAR_MAX:
        raise ValueError(f"must be in the years {YEAR_MIN} to {YEAR_MAX}")
    return value


Instant = Annotated[InstantText, AfterValidator(lambda at: whole_minute(_in_years(at)))]
"""An instant in UTC, on a whole minute."""
Day = Annotated[date, AfterValidator(_in_years)]


def _each_once(value: tuple[UUID, ...]) -> tuple[UUID, ...]:
    if len(set(value)) != len(value):
        raise ValueError("must name each resource once")
    return value


ResourceIds = Annotated[
    tuple[UUID, ...], Field(min_length=1, max_length=RESOURCES_MAX), AfterValidator(_each_once)
]


class TimeBody(Body):
    """The time: `start`, or `booking_date` with `booking_time`, or `date` with `slot_id`; and `end`, `duration_minutes`
    or neither. At venues that sell nights: `arrival`, and `nights` or `departure`."""

    changes_a_booking: ClassVar[bool] = False
    """Whether there is a booking already, which keeps its date or its time of day if only the other is given."""

    start: Instant | None = None
    """The start, RFC 3339 with an offset."""
    booking_date: Day | None = None
    """The local date of the start at the venue."""
    booking_time: WallTime | None = None
    """The local time of the start at the venue, HH:MM."""
    date: Day | None = None
    """The opening day of the slot."""
    slot_id: line(63) | None = None  # pyright: ignore[reportInvalidTypeForm]
    """The id of a slot of the venue."""
    end: Instant | None = None
    """The end, RFC 3339 with an offset."""
    duration_minutes: int | None = Field(default=None, ge=1, le=MINUTES_MAX)
    """The length in minutes. Alternative to `end`."""
    arrival: Day | None = None
    """The date of arrival, at a venue that sells nights."""
    departure: Day | None = None
    """The date of departure, at a venue that sells nights."""
    nights: int | None = Field(default=None, ge=1, le=NIGHTS_MAX)
    """The number of nights, at a venue that sells them. Alternative to `departure`."""

    @model_validator(mode="after")
    def _one_way_of_saying_it(self) -> TimeBody:
        if not self.changes_a_booking and (self.booking_date is None) != (self.booking_time is None):
            raise ValueError("give booking_date and booking_time together")
        if (self.date is None) != (self.slot_id is None):
            raise ValueError("give date and slot_id together")
        ways = (self.start, self.booking_date or self.booking_time, self.date, self.arrival)
        if len(ways) - ways.count(None) > 1:
            raise ValueError(
                "give only one of start, booking_date with booking_time, date with slot_id, and arrival"
            )
        if self.end is not None and self.duration_minutes is not None:
            raise ValueError("give end or duration_minutes, not both")
        if self.date is not None and (self.end is not None or self.duration_minutes is not None):
            raise ValueError("a slot has its own length: omit end and duration_minutes")
        if self.nights is not None and self.departure is not None:
            raise ValueError("give nights or departure, not both")
        stays = self.nights is not None or self.departure is not None
        if stays and (self.end is not None or self.duration_minutes is not None or self.date is not None):
            raise ValueError("nights and departure say the length: omit end, duration_minutes and slot_id")
        if self.arrival is not None and (self.end is not None or self.duration_minutes is not None):
            raise ValueError("give nights or departure with arrival, not end or duration_minutes")
        return self

    @property
    def names_a_start(self) -> bool:
        ways = (self.start, self.booking_date, self.booking_time, self.date, self.arrival)
        return ways.count(None) < len(ways)

    @property
    def names_a_length(self) -> bool:
        lengths = (self.end, self.duration_minutes, self.nights, self.departure)
        return lengths.count(None) < len(lengths)

    def check_start(self) -> None:
        """Raises ValueError if the body does not say when a booking starts."""
        if not self.names_a_start:
            raise ValueError(
                "give a start: start, or booking_date with booking_time, or date with slot_id, or arrival"
            )
        if self.arrival is not None and not self.names_a_length:
            raise ValueError("give nights or departure with arrival")

    def when(self) -> When:
        """Returns the requested time."""
        day, at, wall = self.booking_date, None, None
        if self.booking_time is not None:
            at = time.fromisoformat(self.booking_time)
        if day is not None and at is not None:
            day, at, wall = None, None, datetime.combine(day, at)
        return When(
            start=self.start,
            wall=wall,
            wall_date=day,
            wall_time=at,
            day=self.date,
            slot_id=self.slot_id,
            end=self.end,
            duration_minutes=self.duration_minutes,
            arrival=self.arrival,
            departure=self.departure,
            nights=self.nights,
        )


class SaleBody(Body):
    """What a booking takes beside its place."""

    extras: Extras = ()
    """Extras of the venue, with quantities."""
    discount_code: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,40}$")
    """A discount code of the venue. Capital and small letters are the same."""

    def taken(self) -> tuple[tuple[str, int | None], ...]:
        return tuple((each.id, each.quantity) for each in self.extras)


class PlaceBody(Body):
    """Which resources are wanted: `resource_ids`, `group`, `preferences` or, for any that suit, none of them."""

    resource_ids: ResourceIds | None = None
    """The resources wanted, all of them or none. If omitted, the best fit."""
    group: Group | None = None
    """A type of the venue, such as `double-sea`: one resource of it."""
    preferences: PreferencesBody | None = None

    @model_validator(mode="after")
    def _one_way_of_saying_where(self) -> PlaceBody:
        ways = (self.resource_ids, self.group, self.preferences)
        if len(ways) - ways.count(None) > 1:
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


class BookedBody(DetailsBody, OverrideBody, SaleBody):
    """What a single booking is made with."""

    metadata: Metadata = Field(default_factory=dict)
    answers: Answers = Field(default_factory=dict)
    """Answers to the questions of the venue, by id of the question."""


class NewBody(DetailsBody):
    """A new booking or series of bookings."""

    venue_id: UUID

    @model_validator(mode="after")
    def _has_a_start(self) -> NewBody:
        self.check_start()
        return self
