"""A venue in the form that bookings are decided with: a frozen snapshot of its rules and resources, and the
combinations of resources for a party. A resource can be in many combinations and still be booked on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from holdfast.kernel.text import natural
from holdfast.place.opening.spans import Hours, Slot
from holdfast.place.opening.stay import StayTimes
from holdfast.place.policy import Policy
from holdfast.place.questions.question import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What is reserved. Its buffers are its own or, by default, the policy's.

    `takes`: what takes a unit, the party or each of its guests. `group`: the slug of its type. `leaves`: for a whole,
    the parts that have no parts themselves, which are what is claimed in its place. Their buffers here are those that a
    booking of the whole has: the longer of the part's and the whole's. `claimed`: what a booking of it claims: the
    resource itself, or the leaves of a whole. `active`: false also where a part is not.
    """

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
    takes: str = "party"
    group: str | None = None
    leaves: tuple[Resource, ...] = ()
    minimum_spend: Decimal | None = None
    claimed: tuple[Resource, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "claimed", self.leaves or (self,))

    @property
    def must_open(self) -> tuple[Resource, ...]:
        """What has to be open for a booking of it: the resource, and leaves that have hours of their own."""
        return (self, *(each for each in self.leaves if each.hours is not None))

    @property
    def order(self) -> tuple[int, tuple[str | int, ...]]:
        """Its sort key in lists: sort_order, then slug, with numbers in slugs as numbers."""
        return self.sort_order, natural(self.slug)


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A venue at one version of its rules. `stay`: if it sells nights, when guests come and go.

    `joins`: resource id -> neighbour id -> seats lost when the two are combined; each join is in it in both directions.
    `wholes`: leaf id -> the wholes that contain it. `has_own_hours`: whether some resource does not have the hours of
    the venue. `rules_version` increases with each change of anything in the
    snapshot, `version` only with changes of the venue's own fields.
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
    wholes: Mapping[UUID, tuple[Resource, ...]] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()
    rules_version: int
    version: int
    stay: StayTimes | None = None
    has_own_hours: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        own = any(each.hours is not None for each in self.resources.values())
        object.__setattr__(self, "has_own_hours", own)

    def sharing(self, resource_id: UUID) -> tuple[UUID, ...]:
        """Returns the ids of the resources that share what they claim with this one: itself, its leaves, and the wholes
        of these."""
        found, resource = {resource_id}, self.resources.get(resource_id)
        for leaf in resource.claimed if resource is not None else ():
            found |= {leaf.id, *(each.id for each in self.wholes.get(leaf.id, ()))}
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class VenueKey:
    """A cache key: a venue at one version of its rules."""

    venue_id: UUID
    version: int
    venue: Venue = field(compare=False)

    @classmethod
    def of(cls, venue: Venue) -> VenueKey:
        return cls(venue.id, venue.rules_version, venue)
