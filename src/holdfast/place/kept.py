"""A venue as the database stores it: its document, with the ids and versions of everything in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from holdfast.place.document import ResourceDocument, VenueDocument
from holdfast.place.policy import Policy
from holdfast.place.venue import Resource, Venue

Edge = tuple[UUID, UUID]
"""Two resources that can be combined, the smaller id first."""


class ResourceKey(NamedTuple):
    """The id and version of the resource with a slug."""

    id: UUID
    version: int


@dataclass(frozen=True)
class Kept:
    """A stored venue with everything in it.

    `keys`: slug of each resource -> its id and version. `version` is that of the venue's own fields;
    `rules_version` increases with every change of anything in it.
    """

    id: UUID
    tenant_id: UUID
    tenant_slug: str
    document: VenueDocument
    keys: Mapping[str, ResourceKey]
    version: int
    rules_version: int
    created_at: datetime
    updated_at: datetime

    def snapshot(self) -> Venue:
        """Returns the venue in the form that bookings are decided with."""
        return snapshot(
            self.document,
            id=self.id,
            tenant_id=self.tenant_id,
            tenant_slug=self.tenant_slug,
            resource_ids=self.ids,
            rules_version=self.rules_version,
            version=self.version,
        )

    @cached_property
    def ids(self) -> dict[str, UUID]:
        """Slug of each resource -> its id."""
        return {slug: key.id for slug, key in self.keys.items()}

    @cached_property
    def by_id(self) -> dict[UUID, ResourceDocument]:
        """Id of each resource -> its document, in the order of lists."""
        return {self.keys[each.slug].id: each for each in self.document.resources}

    @cached_property
    def neighbours(self) -> dict[str, list[tuple[str, int]]]:
        """Slug of each resource that has neighbours -> their slugs, in order, and the seats lost with each."""
        found: dict[str, list[tuple[str, int]]] = {}
        for (one, other), seats_lost in sorted(self.document.edges().items()):
            found.setdefault(one, []).append((other, seats_lost))
            found.setdefault(other, []).append((one, seats_lost))
        return found


def edges_by_id(document: VenueDocument, ids: Mapping[str, UUID]) -> dict[Edge, int]:
    """Returns the document's joins by resource id -> seats lost."""
    found: dict[Edge, int] = {}
    for (one, other), seats_lost in document.edges().items():
        low, high = sorted((ids[one], ids[other]))
        found[low, high] = seats_lost
    return found


def snapshot(
    document: VenueDocument,
    *,
    id: UUID,
    tenant_id: UUID,
    tenant_slug: str,
    resource_ids: Mapping[str, UUID],
    rules_version: int = 1,
    version: int = 1,
) -> Venue:
    """Builds the venue that a document describes; `resource_ids` has the id of each of its resources by slug."""
    return Venue(
        id=id,
        tenant_id=tenant_id,
        tenant_slug=tenant_slug,
        slug=document.slug,
        name=document.name,
        kind=document.kind,
        timezone=document.timezone,
        tz=document.tz,
        currency=document.currency,
        policy=document.policy,
        hours=document.hours,
        slots=document.slots,
        resources={
            resource_ids[each.slug]: _resource(each, id=resource_ids[each.slug], policy=document.policy)
            for each in document.resources
        },
        joins=_joins(document, resource_ids),
        rules_version=rules_version,
        version=version,
    )


def _resource(resource: ResourceDocument, *, id: UUID, policy: Policy) -> Resource:
    before, after = resource.buffer_before_minutes, resource.buffer_after_minutes
    return Resource(
        id=id,
        slug=resource.slug,
        name=resource.name,
        kind=resource.kind,
        zone=resource.zone,
        seats_min=resource.seats_min,
        seats_max=resource.seats_max,
        units=resource.units,
        buffer_before_minutes=policy.buffer_before_minutes if before is None else before,
        buffer_after_minutes=policy.buffer_after_minutes if after is None else after,
        attributes=resource.attributes,
        hours=resource.hours,
        active=resource.active,
        sort_order=resource.sort_order,
        position=None if resource.position is None else resource.position.model_dump(),
    )


def _joins(document: VenueDocument, ids: Mapping[str, UUID]) -> dict[UUID, dict[UUID, int]]:
    joins: dict[UUID, dict[UUID, int]] = {}
    for (low, high), seats_lost in document.edges().items():
        joins.setdefault(ids[low], {})[ids[high]] = seats_lost
        joins.setdefault(ids[high], {})[ids[low]] = seats_lost
    return joins
