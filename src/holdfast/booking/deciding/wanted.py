"""What somebody wants booked, when that is, and what would do. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from holdfast.booking.deciding.choose import (
    ANYTHING,
    Demand,
    Preferences,
    candidate_sets,
    distinct,
    named_resources,
)
from holdfast.booking.model import Booking, Details, Guest
from holdfast.claim.model import Probe, claimed_span
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.opening import hours, slot
from holdfast.place.venue import Resource, Venue

REFERENCE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # no 0/O, 1/I/L, U
REFERENCE_CHARS = 6
RANDOM_BITS = (1 << 62) - 1  # the last 62 of a UUIDv7 are random (RFC 9562, 5.7)
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


def reference_code(id_: UUID) -> str:
    """The random end of a reference: six of thirty unambiguous characters, 729 million a day and tenant.

    Drawn from the random bits of a UUIDv7, so that no second source of randomness is asked.
    """
    number, base = id_.int & RANDOM_BITS, len(REFERENCE_ALPHABET)
    return "".join([REFERENCE_ALPHABET[number // base**place % base] for place in range(REFERENCE_CHARS)])


def reference(id_: UUID, local_day: date) -> str:
    """BR-YYYYMMDD-XXXXXX, with the day of the visit."""
    return f"BR-{local_day.year}{local_day.month:02}{local_day.day:02}-{reference_code(id_)}"


def timed(
    when: When, venue: Venue, *, party_size: int, now: datetime | None = None
) -> tuple[Span, str | None]:
    """The span that is meant, and the slot's id if it is one.

    `now` is the start of a walk-in that names none. Raises InvalidRequest, NonexistentLocalTime.
    """
    if when.slot_id is not None:
        assert when.day is not None
        return slot.slot_span(venue, when.day, when.slot_id), when.slot_id
    start = when.start or now
    if when.wall is not None:
        start = hours.to_utc(when.wall, venue.tz)
    if start is None:
        raise InvalidRequest.of(
            "start", None, "is required (or booking_date with booking_time, or date with slot_id)"
        )
    end = when.end
    if end is None:
        end = start + timedelta(minutes=when.duration_minutes or venue.policy.duration_minutes(party_size))
    if end <= start:
        raise InvalidRequest.of("end", end.isoformat(), f"must be after the start, {start.isoformat()}")
    check_length(end - start, venue)
    return Span(start, end), None


def check_length(length: timedelta, venue: Venue) -> None:
    """Whether the venue takes bookings that long. Raises InvalidRequest."""
    longest = venue.policy.duration_minutes_max
    if length > timedelta(minutes=longest):
        minutes = int(length.total_seconds() // 60)
        raise InvalidRequest.of("duration_minutes", minutes, f"must be at most {longest} minutes here")


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

    def probes(self) -> Iterator[Probe]:
        """What must be known of the ledger to decide."""
        for resource in distinct(self.sets):
            yield self.venue.tenant_id, resource.id, claimed_span(resource, self.span)


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
