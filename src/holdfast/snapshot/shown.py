"""The JSON of a snapshot."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from holdfast.booking.deciding.prepare import usual_minutes
from holdfast.channel.closed import closed_in
from holdfast.channel.guests import INSTANT, OPEN_TO_ALL, Rules, is_held_back, times_for_guests
from holdfast.channel.names import (
    BLOCKED_REASON,
    CLOSED_REASON,
    Viewer,
    guest_state,
    staff_state,
)
from holdfast.channel.told import Told
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


def entry_of(snapshot: Snapshot, viewer: Viewer, *, pricing: Pricing) -> CachedSnapshot:
    """Encodes the snapshot with what this viewer may see."""
    venue, slot = snapshot.venue, snapshot.slot
    shown = {
        "channel": availability_name(venue.tenant_slug, venue.slug, slot.day, slot.id),
        "epoch": snapshot.revision.epoch,
        "version": snapshot.revision.version,
        "date": slot.day,
        "slotId": slot.id,
        "sections": [_section(snapshot, section, viewer, pricing) for section in snapshot.sections],
    }
    return CachedSnapshot.of(snapshot.revision, encode(shown))


def changes_at(snapshot: Snapshot, viewer: Viewer) -> datetime | None:
    """Returns the next instant at which what the viewer sees changes, although nothing happens: what guests can book,
    or why they can't; None if there is none."""
    venue, slot = snapshot.venue, snapshot.slot
    if viewer.is_staff and not venue.policy.held_back:
        return None
    times = {_told_to(snapshot, section, viewer).times for section in snapshot.sections}
    for rules in (OPEN_TO_ALL, Rules(groups=frozenset(viewer.groups))):  # the reasons are by these
        times |= {*times_for_guests(venue, slot, rules).values()}
    ends = {at for each in times for span in each for at in (span.start, span.end + INSTANT)}
    return min((each for each in ends if each > snapshot.at), default=None)


def _told_to(snapshot: Snapshot, section: Section, viewer: Viewer) -> Told:
    groups = frozenset(viewer.groups)
    return section.told.for_groups(snapshot.venue, snapshot.slot, section.resource, snapshot.full, groups)


def _section(snapshot: Snapshot, section: Section, viewer: Viewer, pricing: Pricing) -> dict[str, Any]:
    resource, venue, slot = section.resource, snapshot.venue, snapshot.slot
    closed = resource.id in closed_in(venue, slot)
    shown = {
        "sectionId": resource.id,
        "name": resource.name,
        "kind": resource.kind,
        "zone": resource.zone,
        "seatsMin": resource.seats_min,
        "seatsMax": resource.seats_max,
        "priceFrom": _price_from(snapshot, section, pricing),
        "currency": venue.currency,
    }
    if resource.minimum_spend is not None:
        shown["minimumSpend"] = f"{resource.minimum_spend:.{minor_units(venue.currency)}f}"
    seen = staff_state(section.told.state.state, closed=closed)
    if viewer.is_staff:
        return shown | _for_staff(snapshot, section, seen)
    return shown | _for_guests(snapshot, section, seen, viewer)


def _for_staff(snapshot: Snapshot, section: Section, seen: str) -> dict[str, Any]:
    venue, told = snapshot.venue, section.told
    shown: dict[str, Any] = {"state": seen, "unitsFree": 0 if seen == "blocked" else told.state.units_free}
    if is_held_back(venue, snapshot.slot, section.resource.id, now=snapshot.at):
        shown["heldBackFor"] = held_for(venue, section.resource)
    if told.state.changed_by is not None:
        shown["changedBy"] = told.state.changed_by
    if seen == "blocked":
        shown["reason"] = section.reason if told.state.state == "blocked" else CLOSED_REASON
    return shown


def _for_guests(snapshot: Snapshot, section: Section, seen: str, viewer: Viewer) -> dict[str, Any]:
    told, now = _told_to(snapshot, section, viewer), snapshot.at
    can = seen == "available" and told.is_for_guests(now)
    shown = {"state": guest_state(seen, is_time=can), "unitsFree": told.units_for_guests if can else 0}
    bookable = next((each for each in told.times if now <= each.end), None)
    if bookable is not None:
        shown |= {"bookableFrom": bookable.start, "bookableUntil": bookable.end}
    if told.state.state == "blocked":
        shown["reason"] = BLOCKED_REASON
    elif seen == "blocked":
        shown["reason"] = CLOSED_REASON
    elif seen == "available" and not can:
        about = snapshot.venue, snapshot.slot, section.resource, snapshot.full
        shown["reason"] = told.why_not(*about, now=now, groups=frozenset(viewer.groups))
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
