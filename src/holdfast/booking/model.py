"""A booking as a value, its JSON, and its steps: what the history and the events tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from holdfast.booking import states
from holdfast.booking.states import Status
from holdfast.channel.names import BOOKINGS
from holdfast.event.model import Event
from holdfast.kernel.actor import Actor
from holdfast.kernel.ids import new_id
from holdfast.kernel.money import format_money
from holdfast.kernel.span import Span
from holdfast.place.policy import Policy
from holdfast.place.venue import Venue
from holdfast.port.pricing import Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Who comes. Personal data."""

    id: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """Under the names that a booking carries them by."""
        return {
            "guest_id": self.id,
            "guest_name": self.name,
            "guest_email": self.email,
            "guest_phone": self.phone,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What guests and staff say about a booking, and no rule reads."""

    special_requests: str | None = None
    internal_notes: str | None = None
    source: str = "api"
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """One party's reservation. Table `booking` has it in one row, and its comments say what the fields mean."""

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
    guest: Guest
    price: Price
    details: Details
    payment_intent_id: str | None = None
    payment_status: str | None = None
    inventory_reservation_id: str | None = None
    idempotency_key: str | None = None
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
    def total_minor(self) -> int:
        """The total price, in minor units of its currency."""
        return self.price.base_minor + self.price.tax_minor - self.price.discount_minor


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


def price_json(price: Price) -> dict[str, str]:
    """Returns the price as decimal strings, under the names that bookings use."""
    currency, total_minor = price.currency, price.base_minor + price.tax_minor - price.discount_minor
    return {
        "base_price": format_money(price.base_minor, currency),
        "tax_amount": format_money(price.tax_minor, currency),
        "discount_amount": format_money(price.discount_minor, currency),
        "total_price": format_money(total_minor, currency),
        "currency": currency,
        "price_source": price.source,
    }


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
        **booking.guest.as_json(),
        "status": booking.status,
        "version": booking.version,
        **price_json(booking.price),
        "payment_intent_id": booking.payment_intent_id,
        "payment_status": booking.payment_status,
        "inventory_reservation_id": booking.inventory_reservation_id,
        "special_requests": booking.details.special_requests,
        "source": booking.details.source,
        "metadata": booking.details.metadata,
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
        shown["internal_notes"] = booking.details.internal_notes
    return shown


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of the audit trail, beside the booking it led to. `facts`: what its event tells besides."""

    booking: Booking
    from_status: Status | None
    action: str
    actor: str
    reason: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    traceparent: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def history(self) -> dict[str, Any]:
        """The row for table `booking_history`."""
        return {
            "tenant_id": self.booking.tenant_id,
            "booking_id": self.booking.id,
            "version": self.booking.version,
            "from_status": self.from_status,
            "to_status": self.booking.status,
            "actor": self.actor,
            "action": self.action,
            "reason": self.reason,
            "metadata": self.metadata,
            "created_at": self.booking.updated_at,
        }

    @property
    def event_type(self) -> str:
        return EVENT_TYPES.get(self.action, "booking.status_changed")

    def event(self) -> Event:
        """The event that tells of it: ids and facts, nothing personal."""
        booking = self.booking
        return Event(
            id=new_id(),
            tenant_id=booking.tenant_id,
            event_type=self.event_type,
            venue_id=booking.venue_id,
            subject_id=booking.id,
            payload={
                "booking_id": booking.id,
                "booking_reference": booking.reference,
                "from_status": self.from_status,
                "status": booking.status,
                "version": booking.version,
                "venue_id": booking.venue_id,
                "resource_ids": booking.resource_ids,
                "slot_id": booking.slot_id,
                "start": booking.start_at,
                "end": booking.end_at,
                "party_size": booking.party_size,
                "total_minor": booking.total_minor,
                "currency": booking.price.currency,
                "expires_at": booking.expires_at,
                "source": booking.details.source,
                **self.facts,
            },
            actor=self.actor,
            created_at=booking.updated_at,
            traceparent=self.traceparent,
            channel=BOOKINGS,
        )


# The action in the history, and the type of event that goes out for it.
EVENT_TYPES = {
    "create": "booking.created",
    "update": "booking.updated",
    "cancel": "booking.cancelled",
    "confirm": "booking.confirmed",
    "check_in": "booking.checked_in",
    "complete": "booking.completed",
    "expire": "booking.expired",
    "no_show": "booking.no_show",
}

ACTIONS = {
    Status.CONFIRMED: "confirm",
    Status.CHECKED_IN: "check_in",
    Status.COMPLETED: "complete",
    Status.CANCELLED: "cancel",
    Status.NO_SHOW: "no_show",
    Status.EXPIRED: "expire",
}
