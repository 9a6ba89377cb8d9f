"""The JSON of a snapshot."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from holdfast.booking.deciding.prepare import usual_minutes
from holdfast.channel.closed import closed_in
from holdfast.channel.held_back import held_for, kept_from_guests
from holdfast.channel.names import BLOCKED_REASON, CLOSED_REASON, HELD_BACK_REASON, guest_state, staff_state
from holdfast.kernel.encode import encode
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.money import format_money, minor_units
from holdfast.kernel.span import Span
from holdfast.place.opening.slot import DAY_SLOT_ID
from holdfast.place.venue import Resource
from holdfast.port.pricing import Pricing
from holdfast.snapshot.cache import TTL_S, CachedSnapshot
from holdfast.snapshot.names import availability_name
from holdfast.snapshot.take import Section, Snapshot

View = Literal["staff", "guest"]


class SectionShown(BaseModel):
    """A resource in the slot. Staff see all five states and `changedBy`; others see `available` or `unavailable`. What
    is held back is unavailable to the public until `heldBackUntil`. Staff see for whom it is: `heldBackFor`."""

    sectionId: UUID
    name: str
    kind: str
    zone: str | None
    state: Literal["available", "unavailable", "held", "pending_approval", "confirmed", "blocked"]
    seatsMin: int
    seatsMax: int
    unitsFree: int
    priceFrom: str | None
    currency: str
    minimumSpend: str | None = None
    changedBy: str | None = None
    reason: str | None = None
    heldBackUntil: datetime | None = None
    heldBackFor: list[str] | None = None


class SnapshotShown(BaseModel):
    """All resources of a venue in one slot of one opening day, at one version of the channel."""

    channel: str
    epoch: str
    version: int
    date: date
    slotId: str
    sections: list[SectionShown]


SNAPSHOT: dict[str, Any] = {
    "model": SnapshotShown,
    "description": "The states of all resources, at one channel version.",
}


def entry_of(snapshot: Snapshot, view: View, *, pricing: Pricing) -> CachedSnapshot:
    """Encodes the snapshot with what this view may see."""
    venue, slot = snapshot.venue, snapshot.slot
    shown = {
        "channel": availability_name(venue.tenant_slug, venue.slug, slot.day, slot.id),
        "epoch": snapshot.revision.epoch,
        "version": snapshot.revision.version,
        "date": slot.day,
        "slotId": slot.id,
        "sections": [_section(snapshot, section, view, pricing) for section in snapshot.sections],
    }
    return CachedSnapshot.of(snapshot.revision, encode(shown))


def lasts_s(snapshot: Snapshot) -> float:
    """Returns for how many seconds the snapshot may be cached: until something is released that is held back, although
    nothing happens, and for TTL_S at most."""
    times = kept_from_guests(snapshot.venue, snapshot.slot.day, snapshot.slot.span)
    changes = [at for each in {*times.values()} for span in each for at in span if at > snapshot.at]
    return min(TTL_S, (min(changes) - snapshot.at).total_seconds()) if changes else TTL_S


def _section(snapshot: Snapshot, section: Section, view: View, pricing: Pricing) -> dict[str, Any]:
    resource, state, is_staff = section.resource, section.state, view == "staff"
    closed = resource.id in closed_in(snapshot.venue, snapshot.slot.day, snapshot.slot.span)
    seen = staff_state(state.state, closed=closed)
    held_until = _held_until(snapshot, resource)
    is_held = held_until is not None and not is_staff
    shown = {
        "sectionId": resource.id,
        "name": resource.name,
        "kind": resource.kind,
        "zone": resource.zone,
        "seatsMin": resource.seats_min,
        "seatsMax": resource.seats_max,
        "unitsFree": 0 if closed or is_held else state.units_free,
        "priceFrom": _price_from(snapshot, section, pricing),
        "currency": snapshot.venue.currency,
        "state": seen if is_staff else guest_state(seen, held_back=is_held),
    }
    if held_until is not None:
        shown["heldBackUntil"] = held_until
        if is_staff:
            shown["heldBackFor"] = held_for(snapshot.venue, resource)
    if resource.minimum_spend is not None:
        shown["minimumSpend"] = f"{resource.minimum_spend:.{minor_units(snapshot.venue.currency)}f}"
    if is_staff and state.changed_by is not None:
        shown["changedBy"] = state.changed_by
    if state.state == "blocked":
        shown["reason"] = section.reason if is_staff else BLOCKED_REASON
    elif seen == "blocked":
        shown["reason"] = CLOSED_REASON
    elif seen == "available" and is_held:
        shown["reason"] = HELD_BACK_REASON
    return shown


def _held_until(snapshot: Snapshot, resource: Resource) -> datetime | None:
    """Returns until when the resource is held back from the public; None if it is not."""
    times = kept_from_guests(snapshot.venue, snapshot.slot.day, snapshot.slot.span).get(resource.id, ())
    return next((each.end for each in times if each.holds(snapshot.at)), None)


def _price_from(snapshot: Snapshot, section: Section, pricing: Pricing) -> str | None:
    """Returns the price for the smallest party: for the slot or night or, where it is a day, for the usual duration."""
    venue, resource, span = snapshot.venue, section.resource, snapshot.slot.span
    party_size = max(resource.seats_min, 1)
    if snapshot.slot.id == DAY_SLOT_ID and not venue.slots and venue.stay is None:
        minutes = usual_minutes(venue.policy, party_size)
        span = Span(span.start, span.start + timedelta(minutes=minutes))
    try:
        price = pricing.quote(
            venue=venue,
            resources=[resource],
            span=span,
            party_size=party_size,
            slot_id=snapshot.slot.id if venue.slots else None,
        )
    except InvalidRequest:
        return None  # The price is out of range.
    return format_money(price.total_minor, price.currency)
