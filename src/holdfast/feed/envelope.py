"""Events as the outside sees them."""

from __future__ import annotations

from typing import Any

from holdfast.event.model import SOURCE, VERSION, Event
from holdfast.place.tenant import Tenant


def envelope(event: Event, tenant: Tenant) -> dict[str, Any]:
    """The event with its envelope, ready to be written as JSON."""
    return {
        "id": event.id,
        "event_type": event.event_type,
        "payload": event.payload,
        "timestamp": event.created_at,
        "source": SOURCE,
        "version": VERSION,
        "tenant": tenant.slug,
        "venue_id": event.venue_id,
        "actor": event.actor,
        "traceparent": event.traceparent,
    }
