"""One step of a booking: its row in the history, and the event that tells of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from holdfast.booking.model import Booking
from holdfast.booking.states import Status
from holdfast.channel.names import BOOKINGS
from holdfast.event.model import Event
from holdfast.kernel.ids import new_id


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
                "total_minor": booking.price.total_minor,
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
