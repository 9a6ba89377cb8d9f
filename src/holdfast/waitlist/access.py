"""Who sees and touches which entry: as with bookings."""

from __future__ import annotations

from holdfast.booking.access import works_at
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import NotFound
from holdfast.waitlist.model import Entry


def require_visible(entry: Entry, actor: Actor) -> None:
    """Passes for the guest whose entry it is and for staff of its venue. Raises NotFound."""
    if not (works_at(actor, entry.tenant_id, entry.venue_id) or _is_own(entry, actor)):
        raise NotFound(f"There is no entry {entry.id}.")


def _is_own(entry: Entry, actor: Actor) -> bool:
    return (
        not actor.is_staff
        and actor.kind != "anonymous"
        and entry.guest_id == actor.id
        and actor.tenant_ids is not None
        and entry.tenant_id in actor.tenant_ids
    )
