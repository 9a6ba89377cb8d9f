"""Deciding on bookings: who gets what, in order of arrival. Pure: no database, no HTTP, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from holdfast.booking import states
from holdfast.booking.deciding import rules
from holdfast.booking.deciding.choose import (
    Demand,
    candidate_sets,
    claims_of,
    first_free,
    named_resources,
    settle,
)
from holdfast.booking.deciding.conflicts import taken
from holdfast.booking.deciding.wanted import Prepared, Wanted, reference, timed
from holdfast.booking.model import Booking
from holdfast.booking.states import Status
from holdfast.claim.model import Claim, Occupancy, Probe
from holdfast.kernel.errors import HoldfastError, Kind
from holdfast.kernel.span import Span, merged
from holdfast.place.opening import hours
from holdfast.place.venue import Resource, Venue
from holdfast.port.pricing import Price, Pricing

SETS_FIRST = 200


class TooManyHolds(HoldfastError):
    """This guest or address already has as many open holds as the venue allows.

    Fields `holds_max`, `retry_after_seconds`.
    """

    kind = Kind.TOO_MANY
    code = "TOO_MANY_HOLDS"


@dataclass(frozen=True, slots=True)
class Created:
    """It is booked."""

    booking: Booking
    claims: list[Claim]


@dataclass(frozen=True, slots=True)
class Refused:
    """It is not. `prepared`: what was asked, as far as it was understood."""

    error: HoldfastError
    prepared: Prepared | None = None


@dataclass(frozen=True, slots=True)
class Further:
    """None of the sets that were looked at is free and there are more, or claims would have to move of which too little
    is known. `probes`: what must be known of the ledger, before anything can be said."""

    probes: Sequence[Probe]


@dataclass(slots=True)
class Known:
    """What the transaction read: claims by resource, guests by arrival window, open holds by whom."""

    now: datetime
    occupancy: Occupancy
    covers: dict[tuple[UUID, datetime], int] = field(default_factory=dict)
    holds: dict[tuple[UUID, str], int] = field(default_factory=dict)


def prepare(wanted: Wanted, venue: Venue, *, now: datetime) -> Prepared:
    """The span and the resources that would do. Raises what the venue's rules refuse, but for notice."""
    minute = now.replace(second=0, microsecond=0) if wanted.walk_in else None
    span, slot_id = timed(wanted.when, venue, party_size=wanted.party_size, now=minute)
    if wanted.walk_in and wanted.when.end is None and wanted.when.duration_minutes is None:
        span = _until_closing(venue, span)
    if wanted.planned:
        return Prepared(wanted, venue, span, slot_id, (named_resources(venue, wanted.planned),))
    sets = candidate_sets(venue, Demand(wanted.party_size, wanted.resource_ids, wanted.preferences))
    return Prepared(wanted, venue, span, slot_id, sets[:SETS_FIRST], sets[SETS_FIRST:])


def _until_closing(venue: Venue, span: Span) -> Span:
    """A party at the door is seated until closing, when the usual time would run past it."""
    if hours.is_open(venue, None, span.start, span.end):
        return span
    day = hours.opening_day(venue, None, span.start)
    around = (hours.open_spans(venue, None, day + timedelta(days=n)) for n in (0, 1))
    opened = merged(each for spans in around for each in spans)  # one that touches the next goes on
    return Span(span.start, min([span.end, *(each.end for each in opened if each.holds(span.start))]))


def decide(prepared: Prepared, known: Known, pricing: Pricing) -> Created | Refused | Further:
    """Created or Refused; a booking that is created counts for those decided on after it.

    Further: more of the ledger must be known, `prepared` in full then.
    """
    try:
        decided = _decide(prepared, known, pricing)
    except HoldfastError as error:
        return Refused(error, prepared)
    if isinstance(decided, Created):
        _remember(decided, prepared, known)
    return decided


def _decide(prepared: Prepared, known: Known, pricing: Pricing) -> Created | Further:
    wanted, venue, span = prepared.wanted, prepared.venue, prepared.span
    named = prepared.sets[0] if wanted.resource_ids else ()
    rules.check_time(venue, named, span, now=known.now, walk_in=wanted.walk_in, slot_id=prepared.slot_id)
    _check_holds(wanted, venue, known)
    window = rules.pacing_window(span.start)
    covers = known.covers.get((venue.id, window), 0)
    if not wanted.walk_in:
        rules.check_pacing(venue, span, party_size=wanted.party_size, covers=covers)
    found = first_free(open_sets(prepared), span, known.occupancy)
    if isinstance(found, list):
        return Further(found)
    if found is None and prepared.rest:
        return Further(list(prepared.in_full().probes()))
    if found is None:
        raise taken(prepared, known.occupancy)
    resources, fits = found
    booking = _booking(prepared, resources, now=known.now, pricing=pricing)
    units = settle(fits, known.occupancy)
    return Created(booking, claims_of(booking, resources, units, changed_by=str(wanted.actor)))


def open_sets(prepared: Prepared) -> Sequence[tuple[Resource, ...]]:
    """The sets of which every resource is open then; some have hours of their own."""
    venue, span = prepared.venue, prepared.span
    if prepared.wanted.resource_ids or all(resource.hours is None for resource in venue.resources.values()):
        return prepared.sets
    return [
        resources
        for resources in prepared.sets
        if all(hours.is_open(venue, each.hours, span.start, span.end) for each in resources)
    ]


def _check_holds(wanted: Wanted, venue: Venue, known: Known) -> None:
    for who, most in hold_quotas(wanted, venue):
        if known.holds.get(who, 0) >= most:
            raise TooManyHolds(
                f"There are already {most} open holds for you here: confirm or cancel one, "
                f"or wait up to {venue.policy.hold_ttl_seconds} seconds for one to end.",
                holds_max=most,
                retry_after_seconds=venue.policy.hold_ttl_seconds,
            )


def hold_quotas(wanted: Wanted, venue: Venue) -> Iterator[tuple[tuple[UUID, str], int]]:
    """Whom a hold counts against, and how many each may have open: the guest, the address.

    Staff hold for others all evening: no quota.
    """
    return iter(()) if wanted.actor.is_staff else _hold_limits(wanted, venue)


def _hold_limits(wanted: Wanted, venue: Venue) -> Iterator[tuple[tuple[UUID, str], int]]:
    if wanted.hold and wanted.guest.id is not None:
        yield (venue.tenant_id, f"guest:{wanted.guest.id}"), venue.policy.holds_per_guest_max
    if wanted.hold and wanted.ip is not None:
        yield (venue.tenant_id, f"ip:{wanted.ip}"), venue.policy.holds_per_ip_max


def _booking(
    prepared: Prepared, resources: tuple[Resource, ...], *, now: datetime, pricing: Pricing
) -> Booking:
    wanted, venue, span = prepared.wanted, prepared.venue, prepared.span
    local_start = hours.to_wall(span.start, venue.tz)
    status = states.initial_status(venue.policy, hold=wanted.hold, seated=wanted.walk_in)
    expires = states.expires_at(status, policy=venue.policy, now=now, start=span.start)
    if wanted.hold_ttl_seconds is not None and status is Status.HELD:
        expires = now + timedelta(seconds=wanted.hold_ttl_seconds)
    return Booking(
        tenant_id=venue.tenant_id,
        id=wanted.id,
        venue_id=venue.id,
        reference=reference(wanted.id, local_start.date()),
        status=status,
        version=1,
        start_at=span.start,
        end_at=span.end,
        local_start=local_start,
        local_end=hours.to_wall(span.end, venue.tz),
        timezone=venue.timezone,
        slot_id=prepared.slot_id,
        party_size=wanted.party_size,
        resource_ids=tuple([resource.id for resource in resources]),
        guest=wanted.guest,
        price=price_of(prepared, resources, pricing),
        details=wanted.details,
        idempotency_key=wanted.key,
        hold_ip=wanted.ip if status is Status.HELD else None,
        expires_at=expires,
        due_at=states.due_at(status, policy=venue.policy, start=span.start, end=span.end, expires=expires),
        created_at=now,
        updated_at=now,
        checked_in_at=now if status is Status.CHECKED_IN else None,
    )


def price_of(prepared: Prepared, resources: Sequence[Resource], pricing: Pricing) -> Price:
    """What it costs on these resources, as of now."""
    wanted, where = prepared.wanted, list(resources)
    return pricing.quote(
        venue=prepared.venue, resources=where, span=prepared.span, party_size=wanted.party_size
    )


def _remember(created: Created, prepared: Prepared, known: Known) -> None:
    for claim in created.claims:
        known.occupancy.add(claim)
    window = (prepared.venue.id, rules.pacing_window(prepared.span.start))
    known.covers[window] = known.covers.get(window, 0) + created.booking.party_size
    # A hold that staff made needs no quota, and yet counts for the guest.
    for who, _ in _hold_limits(prepared.wanted, prepared.venue):
        known.holds[who] = known.holds.get(who, 0) + 1
