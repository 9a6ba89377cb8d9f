"""A venue in the form that bookings are decided with: a frozen snapshot of its rules and resources, and the
combinations of resources for a party. A resource can be in many combinations and still be booked on its own."""

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
    """What is reserved. Its buffers are its own or, by default, the policy's."""

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
        """Its sort key in lists: sort_order, then slug."""
        return self.sort_order, self.slug


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A venue at one version of its rules.

    `joins`: resource id -> neighbour id -> seats lost when the two are combined; each join is in it in both
    directions. `rules_version` increases with each change of anything in the snapshot, `version` only with changes of
    the venue's own fields.
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
