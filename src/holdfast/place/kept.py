"""Tenants and venues as the database stores them: a venue with its document, and the ids and versions of everything in
it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from holdfast.place.document import ResourceDocument, VenueDocument
from holdfast.place.parts import leaves_of
from holdfast.place.policy import Policy
from holdfast.place.venue import Resource, Venue

Edge = tuple[UUID, UUID]
"""Two resources that can be combined, the smaller id first."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant, the company or club that owns venues, at one version. Its slug never changes, because tokens contain
    it."""

    id: UUID
    slug: str
    name: str
    version: int
    created_at: datetime


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
    resources = _resources(document, resource_ids)
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
        questions=document.questions,
        resources=resources,
        joins=_joins(document, resource_ids),
        wholes=_wholes(resources),
        rules_version=rules_version,
        version=version,
        stay=document.stay,
    )


def _resources(document: VenueDocument, ids: Mapping[str, UUID]) -> dict[UUID, Resource]:
    made = {
        each.slug: _resource(each, id=ids[each.slug], policy=document.policy) for each in document.resources
    }
    parts = {each.slug: each.parts for each in document.resources if each.parts}
    wholes = {slug: _whole(made[slug], [made[leaf] for leaf in leaves_of(slug, parts)]) for slug in parts}
    return {each.id: each for each in (made | wholes).values()}


def _whole(resource: Resource, leaves: list[Resource]) -> Resource:
    before, after = resource.buffer_before_minutes, resource.buffer_after_minutes
    return replace(
        resource,
        buffer_before_minutes=max([before, *(each.buffer_before_minutes for each in leaves)]),
        buffer_after_minutes=max([after, *(each.buffer_after_minutes for each in leaves)]),
        active=resource.active and all(each.active for each in leaves),
        leaves=tuple(
            replace(
                each,
                buffer_before_minutes=max(before, each.buffer_before_minutes),
                buffer_after_minutes=max(after, each.buffer_after_minutes),
            )
            for each in leaves
        ),
    )


def _wholes(resources: Mapping[UUID, Resource]) -> dict[UUID, tuple[Resource, ...]]:
    found: dict[UUID, tuple[Resource, ...]] = {}
    for whole in resources.values():
        for leaf in whole.leaves:
            found[leaf.id] = (*found.get(leaf.id, ()), whole)
    return found


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
        takes=resource.takes,
        group=resource.group,
        minimum_spend=resource.minimum_spend,
    )


def _joins(document: VenueDocument, ids: Mapping[str, UUID]) -> dict[UUID, dict[UUID, int]]:
    joins: dict[UUID, dict[UUID, int]] = {}
    for (low, high), seats_lost in document.edges().items():
        joins.setdefault(ids[low], {})[ids[high]] = seats_lost
        joins.setdefault(ids[high], {})[ids[low]] = seats_lost
    return joins
