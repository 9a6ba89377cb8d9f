"""The JSON of a snapshot."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from holdfast.booking.deciding.prepare import usual_minutes
from holdfast.channel.closed import INSTANT, closed_in, is_held_back, is_time, times_for_guests
from holdfast.channel.names import (
    BLOCKED_REASON,
    CLOSED_REASON,
    HELD_BACK_REASON,
    NOT_NOW_REASON,
    guest_state,
    staff_state,
)
from holdfast.kernel.encode import encode
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.money import format_money, minor_units
from holdfast.kernel.span import Span
from holdfast.place.opening.slot import DAY_SLOT_ID
from holdfast.place.policies.withhold import held_for
from holdfast.port.pricing import Pricing
from holdfast.snapshot.cache import CachedSnapshot
from holdfast.snapshot.names import availability_name
from holdfast.snapshot.take import Section, Snapshot

View = Literal["staff", "guest"]


class SectionShown(BaseModel):
    """A resource in the slot. Staff see all five states and `changedBy`; others see `available` or `unavailable`, and
    when they can book it: from `bookableFrom` to `bookableUntil`, where that lies ahead. Of what is held
    back from the public now, staff see for whom: `heldBackFor`."""

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
    bookableFrom: datetime | None = None
    bookableUntil: datetime | None = None
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


def changes_at(snapshot: Snapshot, view: View) -> datetime | None:
    """Returns the next instant at which guests can book more or less of the slot, although nothing happens; None if
    there is none, or if this view does not show it."""
    if view == "staff" and not snapshot.venue.policy.held_back:
        return None
    times = times_for_guests(snapshot.venue, snapshot.slot.day, snapshot.slot.span)
    ends = {at for each in {*times.values()} for span in each for at in (span.start, span.end + INSTANT)}
    return min((each for each in ends if each > snapshot.at), default=None)


def _section(snapshot: Snapshot, section: Section, view: View, pricing: Pricing) -> dict[str, Any]:
    resource, state, is_staff = section.resource, section.state, view == "staff"
    venue, slot = snapshot.venue, snapshot.slot
    closed = resource.id in closed_in(venue, slot.day, slot.span)
    seen = staff_state(state.state, closed=closed)
    times = times_for_guests(venue, slot.day, slot.span)[resource.id]
    is_over = not is_staff and not is_time(times, snapshot.at)
    is_held = is_held_back(venue, resource.id, slot.day, slot.span, now=snapshot.at)
    shown = {
        "sectionId": resource.id,
        "name": resource.name,
        "kind": resource.kind,
        "zone": resource.zone,
        "seatsMin": resource.seats_min,
        "seatsMax": resource.seats_max,
        "unitsFree": 0 if closed or is_over else state.units_free,
        "priceFrom": _price_from(snapshot, section, pricing),
        "currency": snapshot.venue.currency,
        "state": seen if is_staff else guest_state(seen, is_time=not is_over),
    }
    bookable = next((each for each in times if snapshot.at <= each.end), None)
    if not is_staff and bookable is not None:
        shown |= {"bookableFrom": bookable.start, "bookableUntil": bookable.end}
    if is_staff and is_held:
        shown["heldBackFor"] = held_for(venue, resource)
    if resource.minimum_spend is not None:
        shown["minimumSpend"] = f"{resource.minimum_spend:.{minor_units(snapshot.venue.currency)}f}"
    if is_staff and state.changed_by is not None:
        shown["changedBy"] = state.changed_by
    if state.state == "blocked":
        shown["reason"] = section.reason if is_staff else BLOCKED_REASON
    elif seen == "blocked":
        shown["reason"] = CLOSED_REASON
    elif seen == "available" and is_over:
        shown["reason"] = HELD_BACK_REASON if is_held else NOT_NOW_REASON
    return shown


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
