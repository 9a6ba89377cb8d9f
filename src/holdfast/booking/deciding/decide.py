"""Decides bookings: which resources each gets, in order of arrival. Pure: no database, no HTTP, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from holdfast.assigning.choose import settle
from holdfast.booking.deciding import rules
from holdfast.booking.deciding.conflicts import taken
from holdfast.booking.deciding.length import check_asked, timed, until_closing
from holdfast.booking.deciding.override import Overruled, check_rule, overruled_by
from holdfast.booking.deciding.pacing import NONE, Arrivals, Limit, Window, check_limit, is_paced, limits
from holdfast.booking.deciding.places import find_place, ids_of, sets_for
from holdfast.booking.deciding.reference import reference
from holdfast.booking.deciding.sale import Sales
from holdfast.booking.deciding.sittings import as_slot
from holdfast.booking.deciding.stays import as_stay, from_now, stay_facts
from holdfast.booking.deciding.suggestible import Suggestible
from holdfast.booking.deciding.wanted import SETS_FIRST, Prepared, Wanted, answered, with_sale
from holdfast.booking.model import Booking, due_of, expiry_of, initial_status
from holdfast.booking.states import CLAIM_STATES, Status
from holdfast.claim.model import UNBOUND, Claim, Occupancy, Probe, claimed_span
from holdfast.claim.recolour import Fit
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.span import Span
from holdfast.place.opening import hours
from holdfast.place.venue import Resource, Venue
from holdfast.port.lines import Price
from holdfast.port.pricing import Pricing


@dataclass(frozen=True, slots=True)
class Created:
    """The booking to create, and its claims."""

    booking: Booking
    claims: list[Claim]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the booking is refused. `prepared`: the request, if it got that far."""

    error: HoldfastError
    prepared: Prepared | None = None


@dataclass(frozen=True, slots=True)
class Further:
    """The decision needs further ledger reads: the sets checked so far are all taken, or claims would have to move that
    have not been read far enough ahead. `probes`: what to read before deciding again."""

    probes: Sequence[Probe]


@dataclass(slots=True)
class Known:
    """What the transaction has read: claims by resource, arrivals by venue and pacing window, open holds by holder,
    extras and uses of discount codes."""

    now: datetime
    occupancy: Occupancy
    arrivals: dict[tuple[UUID, Window], Arrivals] = field(default_factory=dict)
    holds: dict[tuple[UUID, str], int] = field(default_factory=dict)
    sales: Sales = field(default_factory=Sales)


def prepare(wanted: Wanted, venue: Venue, *, now: datetime) -> Prepared:
    """Works out the span and the candidate resources. Raises the errors of `timed` and `candidate_sets`."""
    over = overruled_by(wanted.overriding, wanted.actor, venue)
    minute = now.replace(second=0, microsecond=0) if wanted.walk_in else None
    if venue.stay is not None:
        wanted, span = as_stay(wanted, venue, now=minute)
        return _with_sets(wanted, venue, span, wanted.when.slot_id, over)
    span, slot_id = timed(wanted.when, venue, party_size=wanted.party_size, now=minute)
    span, slot_id = as_slot(
        venue, span, slot_id, says_length=wanted.asks_length, is_staff=wanted.actor.is_staff
    )
    if wanted.asks_length and slot_id is None:
        check_rule(
            over,
            check_asked,
            wanted.when,
            span,
            venue,
            party_size=wanted.party_size,
            is_staff=wanted.actor.is_staff,
        )
    elif wanted.walk_in and slot_id is None:
        span = until_closing(venue, span)
    return _with_sets(wanted, venue, span, slot_id, over)


def _with_sets(
    wanted: Wanted, venue: Venue, span: Span, slot_id: str | None, over: Overruled | None
) -> Prepared:
    sets = sets_for(wanted, venue, over)
    hit = () if over is None else tuple(over.hit)
    return with_sale(Prepared(wanted, venue, span, slot_id, sets[:SETS_FIRST], sets[SETS_FIRST:], hit))


def decide(prepared: Prepared, known: Known, pricing: Pricing) -> Created | Refused | Further:
    """Decides one booking and, if it is created, adds it to `known`, so that it counts for the later ones.

    Further: read those probes and decide again, with `prepared.in_full()`.
    """
    prepared = from_now(prepared, known.now)
    try:
        decided = _decide(prepared, known, pricing)
    except HoldfastError as error:
        if isinstance(error, Suggestible):
            error.wanted = prepared
        return Refused(error, prepared)
    if isinstance(decided, Created):
        _remember(decided, prepared, known)
    return decided


def _decide(prepared: Prepared, known: Known, pricing: Pricing) -> Created | Further:
    wanted, venue, span = prepared.wanted, prepared.venue, prepared.span
    named = prepared.sets[0] if wanted.resource_ids else ()
    over = overruling(prepared)
    rules.check_time(
        venue,
        named,
        span,
        now=known.now,
        among=prepared.all_sets,
        walk_in=wanted.walk_in,
        slot_id=prepared.slot_id,
        over=over,
        **stay_facts(wanted),
    )
    rules.check_holds(wanted, venue, known.holds)
    for limit in limits_of(prepared):
        arrivals = known.arrivals.get((venue.id, limit.window), NONE)
        check_rule(over, check_limit, venue, limit, party_size=wanted.party_size, arrivals=arrivals)
    found = find_place(prepared, known.occupancy)
    if isinstance(found, list):
        return Further(found)
    if found is None:
        raise taken(prepared, known.occupancy)
    if prepared.sale.is_limited:
        known.sales.check_stock(venue, span, prepared.sale)
        known.sales.check_uses(venue, prepared.sale.discount)
    resources, fits = found
    booking = _booking(prepared, resources, now=known.now, pricing=pricing)
    if venue.questions or wanted.details.answers:
        booking = replace(booking, details=answered(prepared, resources))
    if over is not None and wanted.overriding is not None:
        booking = replace(booking, overrides=wanted.overriding.entries(over.hit, wanted.actor))
    settle(fits, known.occupancy)
    return Created(booking, claims_of(booking, fits, changed_by=str(wanted.actor)))


def limits_of(prepared: Prepared) -> Sequence[Limit]:
    """Returns the bounds on arrivals that apply to the request."""
    source = prepared.wanted.details.source
    return limits(prepared.venue, prepared.span.start, prepared.slot_id, source)


def _count(booking: Booking, known: Known) -> None:
    start, slot_id, source = booking.start_at, booking.slot_id, booking.details.source
    for (venue_id, window), arrivals in known.arrivals.items():
        if venue_id == booking.venue_id and window.holds(start, slot_id, source):
            known.arrivals[venue_id, window] = arrivals.more(booking.party_size)


def overruling(prepared: Prepared) -> Overruled | None:
    """Returns what the request overrules, with what it has hit so far."""
    asked = prepared.wanted.overriding
    return None if asked is None else Overruled(frozenset(asked.codes), [*prepared.overruled])


def _booking(
    prepared: Prepared, resources: tuple[Resource, ...], *, now: datetime, pricing: Pricing
) -> Booking:
    wanted, venue, span = prepared.wanted, prepared.venue, prepared.span
    local_start = hours.to_wall(span.start, venue.tz)
    status = initial_status(venue.policy, hold=wanted.hold, seated=wanted.walk_in)
    expires = expiry_of(status, policy=venue.policy, now=now, start=span.start)
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
        resource_ids=ids_of(prepared, resources, now=now),
        preferences=wanted.preferences,
        chosen_by=wanted.chosen_by,
        length_asked=wanted.asks_length,
        minutes_asked=wanted.asks_minutes,
        nights=None if wanted.nights is None else wanted.nights.count,
        arrival_on=None if wanted.nights is None else wanted.nights.arrival,
        guest=wanted.guest,
        price=price_of(prepared, resources, pricing, now=now),
        extras=prepared.sale.taken,
        discount_code=prepared.sale.code,
        details=wanted.details,
        idempotency_key=wanted.key,
        hold_ip=wanted.ip if status is Status.HELD else None,
        expires_at=expires,
        due_at=due_of(status, policy=venue.policy, start=span.start, end=span.end, expires=expires),
        created_at=now,
        updated_at=now,
        checked_in_at=now if status is Status.CHECKED_IN else None,
    )


def price_of(prepared: Prepared, resources: Sequence[Resource], pricing: Pricing, *, now: datetime) -> Price:
    """Returns the current price on these resources."""
    return pricing.quote(
        venue=prepared.venue,
        resources=resources,
        span=prepared.span,
        party_size=prepared.wanted.party_size,
        slot_id=prepared.slot_id,
        now=now,
        extras=prepared.sale.extras,
        discount=prepared.sale.discount,
    )


def claims_of(booking: Booking, fits: Sequence[Fit], *, changed_by: str) -> list[Claim]:
    """Returns the claims of the booking on these units, buffers included. They expire with the booking."""
    state = CLAIM_STATES[booking.status]
    kind = "booking" if booking.resource_ids else UNBOUND
    return [
        Claim(
            booking.tenant_id,
            each.resource.id,
            unit,
            claimed_span(each.resource, booking.span),
            booking.id,
            kind,
            expires_at=booking.expires_at,
            state=state,
            changed_by=changed_by,
        )
        for each in fits
        for unit in each.units
    ]


def _remember(created: Created, prepared: Prepared, known: Known) -> None:
    for claim in created.claims:
        known.occupancy.add(claim)
    known.sales.add(created.booking)
    if known.arrivals or is_paced(prepared.venue):
        _count(created.booking, known)
    # Staff have no quota, but the holds they make count towards the guest's.
    for who, _ in rules.hold_limits(prepared.wanted, prepared.venue):
        known.holds[who] = known.holds.get(who, 0) + 1
