"""What somebody wants booked, when that is, and what would do. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import UUID

from holdfast.assigning.choose import (
    ANYTHING,
    Demand,
    Preferences,
    candidate_sets,
    named_resources,
)
from holdfast.booking.model import Booking, Details, Guest
from holdfast.kernel.actor import Actor
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource, Venue

NOBODY = Guest()


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A time as it was asked for: `start`, or `wall` (venue wall time), or `day` with `slot_id`;
    then `end`, or `duration_minutes`, or neither for the venue's default."""

    start: datetime | None = None
    wall: datetime | None = None
    day: date | None = None
    slot_id: str | None = None
    end: datetime | None = None
    duration_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One booking that somebody wants; its id is drawn beforehand, so that deciding is pure. The end of
    its reference comes from the id.

    `planned`: the resources that a plan has chosen of those that would do; no others are looked at then.
    `key`, `request_hash`: the idempotency key, if any, and what it was given for.
    `walk_in`: the party is at the door: seated at once, with no notice and off the slot step.
    `hold_ttl_seconds`: for how long it is held, where that is not what the policy says of holds.
    `ip`: the address a hold is counted against.
    """

    id: UUID
    tenant_id: UUID
    venue_id: UUID
    actor: Actor
    when: When
    party_size: int
    resource_ids: tuple[UUID, ...] = ()
    preferences: Preferences = ANYTHING
    planned: tuple[UUID, ...] = ()
    guest: Guest = NOBODY
    details: Details = field(default_factory=Details)
    hold: bool = False
    hold_ttl_seconds: int | None = None
    walk_in: bool = False
    ip: str | None = None
    traceparent: str | None = None
    key: str | None = None
    request_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Something wanted, worked out as far as the venue's rules alone go.

    `sets`: the resources that would do, best first. `rest`: those further down, which are looked at when
    none of these is free: of a large venue nearly nobody needs to know all of the ledger.
    """

    wanted: Wanted
    venue: Venue
    span: Span
    slot_id: str | None
    sets: tuple[tuple[Resource, ...], ...]
    rest: tuple[tuple[Resource, ...], ...] = ()

    def in_full(self) -> Prepared:
        """The same with the sets further down among the others."""
        return replace(self, sets=self.sets + self.rest, rest=()) if self.rest else self


def prepared_at(wanted: Wanted, venue: Venue, span: Span, slot_id: str | None) -> Prepared:
    """It at that time, with every set that would do. Raises as `candidate_sets` does."""
    if wanted.planned:
        sets = (named_resources(venue, wanted.planned),)
    else:
        sets = candidate_sets(venue, Demand(wanted.party_size, wanted.resource_ids, wanted.preferences))
    return Prepared(wanted, venue, span, slot_id, sets)


def wanted_anew(booking: Booking, actor: Actor) -> Wanted:
    """The booking as if it were wanted anew, on its own resources; when, the booking says."""
    return Wanted(
        id=booking.id,
        tenant_id=booking.tenant_id,
        venue_id=booking.venue_id,
        actor=actor,
        when=When(),
        party_size=booking.party_size,
        resource_ids=booking.resource_ids,
    )
