"""The request for a booking: its time, its party, and the resources that fit. Pure."""

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
    """A time as requested: `start`, or `wall` (venue wall time), or `day` with `slot_id`; then `end`, or
    `duration_minutes`, or neither for the venue's default."""

    start: datetime | None = None
    wall: datetime | None = None
    day: date | None = None
    slot_id: str | None = None
    end: datetime | None = None
    duration_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A request for one booking. Its id is generated beforehand, so that deciding is pure; the end of the booking's
    reference is derived from it.

    `planned`: the resources that a plan has already chosen; no others are considered.
    `key`, `request_hash`: the idempotency key, if any, and the hash of the request it came with.
    `walk_in`: the party is at the door and seated at once; notice and slot step do not apply.
    `hold_ttl_seconds`: how long to hold the place, if not as long as the policy says.
    `ip`: the address that a hold counts against.
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
    """A request, resolved as far as is possible without the ledger.

    `sets`: the sets of resources that fit, best first. `rest`: more sets, considered only if none of these is free.
    In a large venue, few bookings need them.
    """

    wanted: Wanted
    venue: Venue
    span: Span
    slot_id: str | None
    sets: tuple[tuple[Resource, ...], ...]
    rest: tuple[tuple[Resource, ...], ...] = ()

    def in_full(self) -> Prepared:
        """Returns the same with all sets in `sets`."""
        return replace(self, sets=self.sets + self.rest, rest=()) if self.rest else self


def prepared_at(wanted: Wanted, venue: Venue, span: Span, slot_id: str | None) -> Prepared:
    """Returns the request at that time, with every set that fits. Raises the errors of `candidate_sets`."""
    if wanted.planned:
        sets = (named_resources(venue, wanted.planned),)
    else:
        sets = candidate_sets(venue, Demand(wanted.party_size, wanted.resource_ids, wanted.preferences))
    return Prepared(wanted, venue, span, slot_id, sets)


def wanted_anew(booking: Booking, actor: Actor) -> Wanted:
    """Returns a new request for what the booking has, on its own resources. Its `when` is empty."""
    return Wanted(
        id=booking.id,
        tenant_id=booking.tenant_id,
        venue_id=booking.venue_id,
        actor=actor,
        when=When(),
        party_size=booking.party_size,
        resource_ids=booking.resource_ids,
    )
