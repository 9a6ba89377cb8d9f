"""Venues, resources and tenants as answers show them: the documented shapes, and what fills them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from holdfast.place.document import Adjacent, ResourceDocument, VenueDocument
from holdfast.place.kept import Kept
from holdfast.place.opening import Rule, Slot


class TenantShown(Rule):
    """A tenant: the company or club that owns venues."""

    id: UUID
    slug: str
    name: str
    version: int
    """Grows by one with each change."""
    created_at: datetime


class Neighbour(Adjacent):
    """A neighbour that a resource combines with."""

    id: UUID


class ResourceShown(ResourceDocument):
    """One thing that is reserved, as it is now."""

    id: UUID
    venue_id: UUID
    version: int
    """Grows by one with each change of the resource."""
    adjacent: tuple[Neighbour, ...] = ()  # pyright: ignore[reportIncompatibleVariableOverride]
    """All neighbours it combines with, whichever of the two said so."""


class VenueShown(VenueDocument):
    """A venue with all in it, as it is now."""

    id: UUID
    tenant: str
    """Slug of the tenant it belongs to."""
    resources: tuple[ResourceShown, ...]  # pyright: ignore[reportIncompatibleVariableOverride]
    """What can be reserved there, by sort order, then slug."""
    version: int
    """Grows by one with each change of the venue's own fields and rules; resources have their own."""
    created_at: datetime
    updated_at: datetime


class VenueListed(Rule):
    """A venue in short."""

    id: UUID
    tenant: str
    """Slug of the tenant it belongs to."""
    slug: str
    name: str
    kind: str
    timezone: str
    currency: str
    version: int
    created_at: datetime
    updated_at: datetime


class _Page(Rule):
    next: str | None = None
    """Give it as `cursor` to get the next page; null: there is no more."""


class VenuePage(_Page):
    """Venues, the oldest first."""

    items: tuple[VenueListed, ...]


class ResourcePage(_Page):
    """Resources of a venue, by sort order, then slug."""

    items: tuple[ResourceShown, ...]


class SlotPage(_Page):
    """All slots of a venue, as they were written."""

    items: tuple[Slot, ...]


class OpeningShown(Rule):
    """From when to when it is open."""

    local_start: str = Field(examples=["2026-12-31T18:00:00"])
    """Wall time of the venue, without an offset."""
    local_end: str = Field(examples=["2027-01-01T03:00:00"])
    """Wall time of the venue; may be of the next day."""
    start: datetime
    end: datetime


class DayShown(Rule):
    """The openings of one day, in order; none: it is closed."""

    date: date
    openings: tuple[OpeningShown, ...]


class DayPage(_Page):
    """One entry for each day."""

    items: tuple[DayShown, ...]


def venue_shown(kept: Kept) -> dict[str, Any]:
    """A `VenueShown`."""
    return {
        "id": kept.id,
        "tenant": kept.tenant_slug,
        **kept.document.model_dump(mode="json", exclude={"resources"}),
        "resources": resources_shown(kept, kept.document.resources),
        "version": kept.version,
        "created_at": kept.created_at,
        "updated_at": kept.updated_at,
    }


def resources_shown(kept: Kept, resources: tuple[ResourceDocument, ...]) -> list[dict[str, Any]]:
    """A `ResourceShown` for each of some resources of the venue."""
    neighbours: dict[str, list[dict[str, Any]]] = {}
    for edge, seats_lost in sorted(kept.document.edges().items()):
        for one, other in (edge, edge[::-1]):
            found = {"slug": other, "seats_lost": seats_lost, "id": kept.ids[other]}
            neighbours.setdefault(one, []).append(found)
    return [
        {
            **each.model_dump(mode="json"),
            "adjacent": neighbours.get(each.slug, []),
            "id": kept.ids[each.slug],
            "venue_id": kept.id,
            "version": kept.keys[each.slug].version,
        }
        for each in resources
    ]
