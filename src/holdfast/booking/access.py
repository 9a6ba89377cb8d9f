"""Who sees and touches which booking."""

from __future__ import annotations

from uuid import UUID

from holdfast.booking.model import Booking
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import NotFound


def require_visible(booking: Booking, actor: Actor) -> None:
    """Passes for the guest whose booking it is and for staff of its venue. Raises NotFound: what is not
    yours does not exist for you."""
    if not is_visible(booking, actor):
        raise NotFound(f"There is no booking {booking.id}.")


def is_visible(booking: Booking, actor: Actor) -> bool:
    """Whether the actor may see the booking."""
    return works_at(actor, booking.tenant_id, booking.venue_id) or _is_own(booking, actor)


def works_at(actor: Actor, tenant_id: UUID, venue_id: UUID) -> bool:
    """Whether the actor is staff of that venue (or the system itself)."""
    return (
        actor.is_staff
        and (actor.tenant_ids is None or tenant_id in actor.tenant_ids)
        and (actor.venue_ids is None or venue_id in actor.venue_ids)
    )


def _is_own(booking: Booking, actor: Actor) -> bool:
    return (
        not actor.is_staff
        and actor.kind != "anonymous"
        and booking.guest_id == actor.id
        and actor.tenant_ids is not None
        and booking.tenant_id in actor.tenant_ids
    )
