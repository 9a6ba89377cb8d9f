"""The payloads of events, by type: the models published as JSON Schema.

All have the version `VERSION`, which is in the envelope. Within a version fields are only added, so consumers must
ignore unknown fields. To rename or remove a field, or to change its meaning, needs a new version with separate models.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from holdfast.block.model import Kind
from holdfast.booking.states import Status
from holdfast.channel.announce import AVAILABILITY_UPDATED
from holdfast.channel.state import State
from holdfast.waitlist.model import EntryStatus

VERSION = "1.0"


class Payload(BaseModel):
    """The payload of one type of event: facts and ids, no personal data."""

    # In output every field is present; one without a value is null.
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class BookingEvent(Payload):
    """A booking after a step. `from_status`: null for a new booking. `expires_at`: set while it is held or pending.
    `total_minor`: in the minor unit of the currency. Times are UTC."""

    booking_id: UUID
    booking_reference: str
    from_status: Status | None
    status: Status
    version: int = Field(ge=1, description="The booking's version, for `expected_version`.")
    venue_id: UUID
    resource_ids: list[UUID]
    slot_id: str | None
    start: datetime
    end: datetime
    party_size: int
    total_minor: int
    currency: str
    expires_at: datetime | None
    source: str


class BookingUpdated(BookingEvent):
    """A booking after a change. `previous_start`, `previous_end`: its time before; null if that did not change."""

    previous_start: datetime | None
    previous_end: datetime | None


class BlockEvent(Payload):
    """The current state of a block. `start`, `end`: from its first occurrence to its last. `rrule`: its recurrence;
    null: once. `cancelled_from`: no occurrences from that date on."""

    block_id: UUID
    venue_id: UUID
    resource_ids: list[UUID]
    kind: Kind
    reason: str
    rrule: str | None
    cancelled_from: date | None
    start: datetime
    end: datetime
    version: int = Field(ge=1, description="The block's version, for `expected_version`.")


class WaitlistEvent(Payload):
    """The current state of a waitlist entry. `earliest`, `latest`: when the visit may start. `booking_id`: the offer,
    a booking that is held until `offer_expires_at`."""

    entry_id: UUID
    venue_id: UUID
    status: EntryStatus
    version: int = Field(ge=1, description="The entry's version.")
    party_size: int
    earliest: datetime
    latest: datetime
    duration_minutes: int
    booking_id: UUID | None
    offer_expires_at: datetime | None


class SeriesEvent(Payload):
    """A series, and which of its bookings were created, changed or cancelled: each of them has its own event."""

    series_id: UUID
    venue_id: UUID
    version: int = Field(ge=1, description="The series' version, for `expected_version`.")
    booking_ids: list[UUID]


class AvailabilityToGuests(BaseModel):
    """What the event is for guests who are in these groups of guests, or for the public. `times`: from when until when
    they can book it, if it is free. `guests_could`: whether they could before, at that time. `guests_cannot`: why they
    can't now, if it is free."""

    groups: list[str] = []
    times: list[tuple[datetime, datetime]] = []
    guests_could: bool = True
    guests_cannot: str | None = None


class AvailabilityEvent(AvailabilityToGuests, Payload):
    """The new state of one resource in one slot, as staff see it. `units_free`: for the whole slot. `closed`: by the
    venue's rules, whatever is taken. `changed_by`: the actor whose claim determines the state; null if available. The
    rest is for guests: `units_for_guests`, for the whole slot or stay; what else is for the public; and `for_groups`,
    where something is held back for groups of guests."""

    section_id: UUID
    slot_id: str
    date: date
    previous_state: State
    new_state: State
    units_free: int
    closed: bool = False
    units_for_guests: int = 0
    for_groups: list[AvailabilityToGuests] = []
    changed_by: str | None
    reason: str
    updated_at: datetime


class VenueCreated(Payload):
    """A new venue."""

    venue_id: UUID
    rules_version: int


class VenueUpdated(Payload):
    """A venue's own fields or resources changed. `changed`: fields of the venue's document."""

    venue_id: UUID
    rules_version: int
    changed: list[str]
    resource_ids: list[UUID] = Field(description="Added or changed.")
    grown_resource_ids: list[UUID] = Field(description="Those of them that got more units.")
    removed_resource_ids: list[UUID]


class TenantCreated(Payload):
    """A new tenant."""

    tenant_id: UUID
    slug: str


ON_BOOKINGS: dict[str, tuple[str, type[Payload]]] = {
    "booking.created": ("A booking or a hold was created.", BookingEvent),
    "booking.updated": (
        "The time, duration, party size, resources or guest data of a booking changed.",
        BookingUpdated,
    ),
    "booking.status_changed": (
        "A booking changed its status in a way that has no separate event.",
        BookingEvent,
    ),
    "booking.confirmed": ("A booking was confirmed.", BookingEvent),
    "booking.checked_in": ("The party has arrived.", BookingEvent),
    "booking.completed": ("The visit is over.", BookingEvent),
    "booking.cancelled": ("A booking was cancelled; the place is free.", BookingEvent),
    "booking.no_show": ("The party did not come; the place is free.", BookingEvent),
    "booking.expired": ("A hold or a pending booking expired; the place is free.", BookingEvent),
    "block.created": ("Time was taken off the inventory.", BlockEvent),
    "block.updated": ("A block changed.", BlockEvent),
    "block.cancelled": ("A block was removed.", BlockEvent),
    "waitlist.joined": ("A party joined the waitlist.", WaitlistEvent),
    "waitlist.offered": ("A place is held for a waiting party.", WaitlistEvent),
    "waitlist.accepted": ("A party accepted its offer.", WaitlistEvent),
    "waitlist.declined": ("A party declined its offer.", WaitlistEvent),
    "waitlist.lapsed": ("An offer was not answered in time, or none came in time.", WaitlistEvent),
    "waitlist.left": ("A party left the waitlist.", WaitlistEvent),
    "series.created": ("A series of bookings was created.", SeriesEvent),
    "series.updated": ("Bookings of a series changed.", SeriesEvent),
    "series.cancelled": ("Bookings of a series were cancelled.", SeriesEvent),
}
"""Events on a venue's bookings channel: a sentence and the payload, by type."""

EVENTS: dict[str, tuple[str, type[Payload]]] = {
    **ON_BOOKINGS,
    AVAILABILITY_UPDATED: ("The state of a resource in a slot changed.", AvailabilityEvent),
    "tenant.created": ("A tenant was created.", TenantCreated),
    "venue.created": ("A venue was created.", VenueCreated),
    "venue.updated": ("A venue's rules or resources changed.", VenueUpdated),
}
"""All types of events."""
