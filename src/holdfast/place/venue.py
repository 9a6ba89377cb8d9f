"""A venue as bookings are decided on: one frozen snapshot of all its rules and resources, and which of
these combine for a party. A resource may be in many combinations and is still bookable alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from holdfast.place.opening.spans import Hours, Slot
from holdfast.place.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What is reserved. Buffers are resolved: the resource's own, or else the policy's."""

    id: UUID
    slug: str
    name: str
    kind: str
    zone: str | None
    seats_min: int
    seats_max: int
    units: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    attributes: Mapping[str, Any]
    hours: Hours | None
    active: bool
    sort_order: int
    position: Mapping[str, Any] | None

    @property
    def order(self) -> tuple[int, str]:
        """Where it stands in a list: by sort order, then slug."""
        return self.sort_order, self.slug


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A venue at one version of its rules.

    `joins`: resource id -> neighbour id -> seats lost when the two are combined; every edge is there
    in both directions. `rules_version` grows with each change of anything in the snapshot; `version`
    is the venue's own.
    """

    id: UUID
    tenant_id: UUID
    tenant_slug: str
    slug: str
    name: str
    kind: str
    timezone: str
    tz: ZoneInfo
    currency: str
    policy: Policy
    hours: Hours
    slots: tuple[Slot, ...]
    resources: Mapping[UUID, Resource]
    joins: Mapping[UUID, Mapping[UUID, int]]
    rules_version: int
    version: int
