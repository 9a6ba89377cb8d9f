"""Entries as the API shows them, and as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, JsonValue

from holdfast.place.venue import Venue
from holdfast.waitlist.lists import EntryView
from holdfast.waitlist.model import EntryStatus, preferences_json


class OfferShown(BaseModel):
    """The place that is held for the entry until `expires_at`: accept or decline it."""

    booking_id: UUID
    expires_at: datetime
    start: datetime
    end: datetime
    resource_ids: list[UUID]


class WantedShown(BaseModel):
    """Which resources will do; an empty list means any."""

    kinds: list[str]
    zones: list[str]
    group: str | None = None
    attributes: dict[str, JsonValue]


class EntryShown(BaseModel):
    """A waitlist entry. `position`: 1 for the entry that has waited longest at the venue, null if it isn't waiting.
    `booking_id`: the booking that was offered, even after the offer has ended. Times of the visit have the venue's
    offset."""

    id: UUID
    venue_id: UUID
    status: EntryStatus
    position: int | None
    offer: OfferShown | None
    booking_id: UUID | None
    party_size: int
    earliest: datetime
    latest: datetime
    duration_minutes: int
    resource_ids: list[UUID]
    preferences: WantedShown
    guest_id: str | None
    guest_name: str | None
    guest_email: str | None
    guest_phone: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class EntryList(BaseModel):
    """A page of a venue's waitlist, in queue order."""

    items: list[EntryShown]
    next: str | None


def as_json(view: EntryView, venue: Venue) -> dict[str, Any]:
    """Returns the entry as the API shows it, for `kernel.encode`."""
    entry = view.entry
    return {
        "id": entry.id,
        "venue_id": entry.venue_id,
        "status": entry.status,
        "position": view.position,
        "offer": _offer(view, venue),
        "booking_id": entry.booking_id,
        "party_size": entry.party_size,
        "earliest": entry.earliest_at.astimezone(venue.tz),
        "latest": entry.latest_at.astimezone(venue.tz),
        "duration_minutes": entry.duration_minutes,
        "resource_ids": entry.resource_ids,
        "preferences": preferences_json(entry.preferences),
        **entry.guest.as_json(),
        "version": entry.version,
        "created_at": entry.created_at,
        "updated_at": entry.updated_at,
    }


def _offer(view: EntryView, venue: Venue) -> dict[str, Any] | None:
    if view.offer is None:
        return None
    return {
        "booking_id": view.entry.booking_id,
        "expires_at": view.entry.offer_expires_at,
        "start": view.offer.span.start.astimezone(venue.tz),
        "end": view.offer.span.end.astimezone(venue.tz),
        "resource_ids": view.offer.resource_ids,
    }


ENTRY: dict[str, Any] = {
    "model": EntryShown,
    "description": "The entry.",
    "headers": {"ETag": {"schema": {"type": "string"}, "description": "Its version."}},
}
ENTRIES: dict[str, Any] = {"model": EntryList, "description": "A page of the waitlist."}
