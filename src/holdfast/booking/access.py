"""Access to what belongs to guests: bookings, series, waitlist entries."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from holdfast.booking.model import Guest
from holdfast.kernel.actor import Actor, can_touch_venue
from holdfast.kernel.errors import Forbidden, NotFound, Unauthenticated
from holdfast.place.venue import Venue


class OfGuest(Protocol):
    """Something at a venue that belongs to a guest."""

    @property
    def id(self) -> UUID: ...
    @property
    def tenant_id(self) -> UUID: ...
    @property
    def venue_id(self) -> UUID: ...
    @property
    def guest(self) -> Guest: ...


def require_visible(it: OfGuest, actor: Actor, *, noun: str = "booking") -> None:
    """Raises NotFound unless the actor may see it: what isn't theirs looks as if it did not exist."""
    if not is_visible(it, actor):
        raise NotFound(f"There is no {noun} {it.id}.")


def is_visible(it: OfGuest, actor: Actor) -> bool:
    """Returns whether the actor may see it: staff of its venue and its own guest may."""
    if actor.is_staff:
        return works_at(actor, it.tenant_id, it.venue_id)
    is_own = actor.kind != "anonymous" and it.guest.id == actor.id
    return is_own and actor.tenant_ids is not None and it.tenant_id in actor.tenant_ids


def works_at(actor: Actor, tenant_id: UUID, venue_id: UUID) -> bool:
    """Returns whether the actor is staff of that venue (or the system itself)."""
    return actor.is_staff and can_touch_venue(actor, tenant_id, venue_id)


def require_staff(actor: Actor, venue: Venue, *, named: str | None = None) -> None:
    """Raises Unauthenticated, Forbidden or NotFound unless the actor works at the venue. `named`: how the request
    named the venue, if not by its id."""
    if works_at(actor, venue.tenant_id, venue.id):
        return
    if actor.kind == "anonymous":
        raise Unauthenticated
    if not actor.is_staff and can_touch_venue(actor, venue.tenant_id, venue.id):
        raise Forbidden("This is for the staff of the venue.", needed_roles=["staff"])
    raise NotFound(f"There is no venue {named or venue.id}.")
