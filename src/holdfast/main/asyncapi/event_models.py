"""What events say, by type: the models that are published as JSON Schema.

They are of one version, `VERSION`, which the envelope carries. Within it fields are only ever added: who
reads an event must let pass what it doesn't know. To rename, remove or mean something else takes a new
version, with models of its own beside these.
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
    """What one type of event says. Facts and ids; nothing personal."""

    # In what is sent every field is there, one without a value as null.
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class BookingEvent(Payload):
    """A booking as it is after a step. `from_status`: null for a new one. `expires_at`: while it is held or
    waits. `total_minor`: in the smallest unit of the currency. Instants are UTC."""

    booking_id: UUID
    booking_reference: str
    from_status: Status | None
    status: Status
    version: int = Field(ge=1, description="The booking's own, for `expected_version`.")
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
    """The same after a change. `previous_start`, `previous_end`: its time before; null when that stayed."""

    previous_start: datetime | None
    previous_end: datetime | None


class BlockEvent(Payload):
    """A block as it is now. `start`, `end`: of all its time, from the first occurrence to the last. `rrule`:
    how it repeats; null: once. `cancelled_from`: no occurrences from that date on."""

    block_id: UUID
    venue_id: UUID
    resource_ids: list[UUID]
    kind: Kind
    reason: str
    rrule: str | None
    cancelled_from: date | None
    start: datetime
    end: datetime
    version: int = Field(ge=1, description="The block's own, for `expected_version`.")


class WaitlistEvent(Payload):
    """An entry of the waitlist as it is now. `earliest`, `latest`: when the visit may start. `booking_id`:
    the offer that is made to it, a booking that is held until `offer_expires_at`."""

    entry_id: UUID
    venue_id: UUID
    status: EntryStatus
    version: int = Field(ge=1, description="The entry's own.")
    party_size: int
    earliest: datetime
    latest: datetime
    duration_minutes: int
    booking_id: UUID | None
    offer_expires_at: datetime | None


class SeriesEvent(Payload):
    """A series, and which of its bookings were made, changed or cancelled: each has an event of its own."""

    series_id: UUID
    venue_id: UUID
    version: int = Field(ge=1, description="The series' own, for `expected_version`.")
    booking_ids: list[UUID]


class AvailabilityEvent(Payload):
    """What became of one resource in one slot, as staff see it. `units_free`: for all of the slot.
    `changed_by`: whose claim decides the state; null when it is available."""

    section_id: UUID
    slot_id: str
    date: date
    previous_state: State
    new_state: State
    units_free: int
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
    grown_resource_ids: list[UUID] = Field(description="Those of them that were given more units.")
    removed_resource_ids: list[UUID]


class TenantCreated(Payload):
    """A new tenant."""

    tenant_id: UUID
    slug: str


ON_BOOKINGS: dict[str, tuple[str, type[Payload]]] = {
    "booking.created": ("A booking was made, or a place is held for one.", BookingEvent),
    "booking.updated": ("Time, length, party, resources or guest data of a booking changed.", BookingUpdated),
    "booking.status_changed": ("A booking went a step on that has no event of its own.", BookingEvent),
    "booking.confirmed": ("A booking is confirmed.", BookingEvent),
    "booking.checked_in": ("The party is there.", BookingEvent),
    "booking.completed": ("The visit is over.", BookingEvent),
    "booking.cancelled": ("A booking was cancelled; the place is free.", BookingEvent),
    "booking.no_show": ("The party did not come; the place is free.", BookingEvent),
    "booking.expired": ("A hold or a booking that waited ran out of time; the place is free.", BookingEvent),
    "block.created": ("Time was taken off what can be booked.", BlockEvent),
    "block.updated": ("A block changed.", BlockEvent),
    "block.cancelled": ("A block was lifted.", BlockEvent),
    "waitlist.joined": ("A party waits.", WaitlistEvent),
    "waitlist.offered": ("A place is held for a party that waits.", WaitlistEvent),
    "waitlist.accepted": ("A party took what was offered.", WaitlistEvent),
    "waitlist.declined": ("A party does not want what was offered.", WaitlistEvent),
    "waitlist.lapsed": ("An offer was not answered in time, or there was none in time.", WaitlistEvent),
    "waitlist.left": ("A party waits no more.", WaitlistEvent),
    "series.created": ("Bookings that repeat were made.", SeriesEvent),
    "series.updated": ("Bookings of a series changed.", SeriesEvent),
    "series.cancelled": ("Bookings of a series were cancelled.", SeriesEvent),
}
"""What is told on a venue's channel of bookings: a sentence and the payload, by type."""

EVENTS: dict[str, tuple[str, type[Payload]]] = {
    **ON_BOOKINGS,
    AVAILABILITY_UPDATED: ("A resource is in another state in a slot.", AvailabilityEvent),
    "tenant.created": ("There is a new tenant.", TenantCreated),
    "venue.created": ("There is a new venue.", VenueCreated),
    "venue.updated": ("A venue's rules or resources changed.", VenueUpdated),
}
"""Every type of event."""
