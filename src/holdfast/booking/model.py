"""A booking as a value, and its JSON."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from holdfast.booking import states
from holdfast.booking.states import Status
from holdfast.kernel.actor import Actor
from holdfast.kernel.span import Span
from holdfast.place.policy import Policy
from holdfast.place.venue import Venue
from holdfast.port.pricing import Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One party's reservation: the row of table `booking`, whose comments say what the fields mean."""

    tenant_id: UUID
    id: UUID
    venue_id: UUID
    reference: str
    status: Status
    version: int
    start_at: datetime
    end_at: datetime
    local_start: datetime
    local_end: datetime
    timezone: str
    slot_id: str | None
    party_size: int
    resource_ids: tuple[UUID, ...]
    guest_id: str | None
    guest_name: str | None
    guest_email: str | None
    guest_phone: str | None
    base_minor: int
    tax_minor: int
    discount_minor: int
    total_minor: int
    currency: str
    price_source: str
    payment_intent_id: str | None = None
    payment_status: str | None = None
    inventory_reservation_id: str | None = None
    idempotency_key: str | None = None
    special_requests: str | None = None
    internal_notes: str | None = None
    source: str = "api"
    metadata: dict[str, Any] = field(default_factory=dict)
    hold_ip: str | None = None
    cancellation_reason: str | None = None
    cancelled_by: str | None = None
    expires_at: datetime | None = None
    due_at: datetime | None = None
    created_at: datetime
    updated_at: datetime
    confirmed_at: datetime | None = None
    cancelled_at: datetime | None = None
    checked_in_at: datetime | None = None
    completed_at: datetime | None = None
    shared_facility_owner_tenant_id: UUID | None = None

    @property
    def occupies(self) -> bool:
        return self.status in states.OCCUPYING

    @property
    def span(self) -> Span:
        return Span(self.start_at, self.end_at)

    @property
    def price(self) -> Price:
        return Price(self.base_minor, self.tax_minor, self.discount_minor, self.currency, self.price_source)


COLUMNS = tuple(f.name for f in fields(Booking))


DEFAULT_POLICY = Policy()

_STAMPS = {
    Status.CONFIRMED: "confirmed_at",
    Status.CHECKED_IN: "checked_in_at",
    Status.COMPLETED: "completed_at",
    Status.CANCELLED: "cancelled_at",
}


def moved(booking: Booking, to: Status, *, policy: Policy, now: datetime, **changes: Any) -> Booking:
    """The booking one legal step further, its clocks set anew. Raises InvalidTransition."""
    return entered(booking, states.step(booking.status, to), policy=policy, now=now, **changes)


def entered(booking: Booking, status: Status, *, policy: Policy, now: datetime, **changes: Any) -> Booking:
    """The booking in that status, its clocks set anew, whether or not the step is one to ask for."""
    expires = states.expires_at(status, policy=policy, now=now, start=booking.start_at)
    due = states.due_at(status, policy=policy, start=booking.start_at, end=booking.end_at, expires=expires)
    if stamp := _STAMPS.get(status):
        changes.setdefault(stamp, now)
    if status is not Status.HELD:
        changes["hold_ip"] = None
    return replace(
        booking,
        status=status,
        version=booking.version + 1,
        expires_at=expires,
        due_at=due,
        updated_at=now,
        **changes,
    )


def ended(booking: Booking, to: Status, *, now: datetime, **changes: Any) -> Booking:
    """The booking at its end: one legal step to a status that is final. Raises InvalidTransition."""
    assert to in states.TERMINAL
    return moved(booking, to, policy=DEFAULT_POLICY, now=now, **changes)  # no rule of a venue applies there


def as_json(booking: Booking, venue: Venue, viewer: Actor) -> dict[str, Any]:
    """The booking as the API shows it (spec 2.4), for `kernel.encode`. Staff also see the internal notes."""
    zone = ZoneInfo(booking.timezone)
    start, end = booking.local_start, booking.local_end
    shown = {
        "id": booking.id,
        "booking_reference": booking.reference,
        "idempotency_key": booking.idempotency_key,
        "tenant": venue.tenant_slug,
        "venue_id": booking.venue_id,
        "venue_name": venue.name,
        "venue_kind": venue.kind,
        "resource_ids": booking.resource_ids,
        "slot_id": booking.slot_id,
        "start": booking.start_at.astimezone(zone),
        "end": booking.end_at.astimezone(zone),
        "booking_date": start.date(),
        "booking_time": f"{start.hour:02}:{start.minute:02}",
        "end_time": f"{end.hour:02}:{end.minute:02}",
        "duration_minutes": int((booking.end_at - booking.start_at).total_seconds()) // 60,
        "party_size": booking.party_size,
        "guest_id": booking.guest_id,
        "guest_name": booking.guest_name,
        "guest_email": booking.guest_email,
        "guest_phone": booking.guest_phone,
        "status": booking.status,
        "version": booking.version,
        **booking.price.as_json(),
        "payment_intent_id": booking.payment_intent_id,
        "payment_status": booking.payment_status,
        "inventory_reservation_id": booking.inventory_reservation_id,
        "special_requests": booking.special_requests,
        "source": booking.source,
        "metadata": booking.metadata,
        "cancellation_reason": booking.cancellation_reason,
        "cancelled_by": booking.cancelled_by,
        "created_at": booking.created_at,
        "updated_at": booking.updated_at,
        "confirmed_at": booking.confirmed_at,
        "cancelled_at": booking.cancelled_at,
        "checked_in_at": booking.checked_in_at,
        "completed_at": booking.completed_at,
        "expires_at": booking.expires_at,
        "shared_facility_owner_tenant_id": booking.shared_facility_owner_tenant_id,
        "read_only": False,
    }
    if viewer.is_staff:
        shown["internal_notes"] = booking.internal_notes
    return shown
