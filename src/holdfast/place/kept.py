"""A venue as the database keeps it: its document, with the ids and versions of all in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from holdfast.place.document import ResourceDocument, VenueDocument
from holdfast.place.snapshot import snapshot
from holdfast.place.venue import Venue

Edge = tuple[UUID, UUID]
"""Two resources that combine: the smaller id first."""


class ResourceKey(NamedTuple):
    """Which resource a slug stands for, and at which version it is."""

    id: UUID
    version: int


@dataclass(frozen=True)
class Kept:
    """A venue with all in it.

    `keys`: slug of each resource -> its id and version. `version` is that of the venue's own fields;
    `rules_version` grows with every change of anything in it.
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
        """The venue as bookings are decided on."""
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


def edges_by_id(document: VenueDocument, ids: Mapping[str, UUID]) -> dict[Edge, int]:
    """The document's joins between ids -> seats lost."""
    found: dict[Edge, int] = {}
    for (one, other), seats_lost in document.edges().items():
        low, high = sorted((ids[one], ids[other]))
        found[low, high] = seats_lost
    return found
