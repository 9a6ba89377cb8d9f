"""Who sees and touches which booking."""

from __future__ import annotations

from uuid import UUID

from holdfast.booking.model import Booking
from holdfast.identity.roles import can_touch_venue
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import NotFound


def require_visible(booking: Booking, actor: Actor) -> None:
    """Passes for the guest whose booking it is and for staff of its venue. Raises NotFound: what is not
    yours does not exist for you."""
    if not is_visible(booking, actor):
        raise NotFound(f"There is no booking {booking.id}.")


def is_visible(booking: Booking, actor: Actor) -> bool:
    """Whether the actor may see the booking."""
    return may_see(actor, booking.tenant_id, booking.venue_id, booking.guest.id)


def may_see(actor: Actor, tenant_id: UUID, venue_id: UUID, guest_id: str | None) -> bool:
    """Whether the actor may see what that guest has at that venue: staff of the venue, and the guest."""
    if actor.is_staff:
        return works_at(actor, tenant_id, venue_id)
    is_own = actor.kind != "anonymous" and guest_id == actor.id
    return is_own and actor.tenant_ids is not None and tenant_id in actor.tenant_ids


def works_at(actor: Actor, tenant_id: UUID, venue_id: UUID) -> bool:
    """Whether the actor is staff of that venue (or the system itself)."""
    return actor.is_staff and can_touch_venue(actor, tenant_id, venue_id)
