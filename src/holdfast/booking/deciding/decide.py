"""Decides bookings: which resources each gets, in order of arrival. Pure: no database, no HTTP, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

from holdfast.assigning.choose import settle
from holdfast.booking.deciding.conflicts import taken
from holdfast.booking.deciding.known import Created, Further, Known, Refused
from holdfast.booking.deciding.order import Place
from holdfast.booking.deciding.prepare import (
    asks_length,
    check_time,
    find_place,
    ids_of,
)
from holdfast.booking.deciding.stays import from_now, stay_facts
from holdfast.booking.model import Booking, due_of, expiry_of, initial_status
from holdfast.booking.rules.fair_use import Allowance, counted_for
from holdfast.booking.rules.holds import check_holds, hold_limits
from holdfast.booking.rules.override import Overruled, check_rule
from holdfast.booking.rules.pacing import check_limit
from holdfast.booking.rules.suggestible import Suggestible
from holdfast.booking.said import ChosenBy, Item
from holdfast.booking.states import CLAIM_STATES, Status
from holdfast.booking.wanted import NO_SALE, Prepared, Wanted, answered
from holdfast.claim.model import UNBOUND, Claim, claimed_span
from holdfast.claim.recolour import Fit
from holdfast.kernel.errors import HoldfastError
from holdfast.pacing.limits import NONE, Limit, limits
from holdfast.place.venue import Resource
from holdfast.port.lines import Price
from holdfast.port.pricing import Pricing

REFERENCE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # no 0/O, 1/I/L, U
REFERENCE_CHARS = 6
RANDOM_BITS = (1 << 62) - 1  # the last 62 of a UUIDv7 are random (RFC 9562, 5.7)


def decide(prepared: Prepared, known: Known, pricing: Pricing) -> Created | Refused | Further:
    """Decides one booking and, if it is created, adds it to `known`, so that it counts for the later ones.

    Further: read those probes and decide again, with `prepared.in_full()`.
    """
    if prepared.wanted.nights is not None:
        prepared = from_now(prepared, known.now)
    try:
        decided = _decide(prepared, known, pricing)
    except HoldfastError as error:
        if isinstance(error, Suggestible) and error.is_about_time:
            error.wanted = prepared
        return Refused(error, prepared)
    if isinstance(decided, Created):
        _remember(decided, prepared, known)
    return decided


def _decide(prepared: Prepared, known: Known, pricing: Pricing) -> Created | Further:
    wanted, venue, span = prepared.wanted, prepared.venue, prepared.span
    over = overruling(prepared)
    for each in prepared.items or (prepared,):
        check_time(
            venue,
            each.sets[0] if each.wanted.resource_ids else (),
            span,
            now=known.now,
            among=each.sets + each.rest if venue.has_own_hours else (),
            walk_in=wanted.walk_in,
            slot_id=prepared.slot_id,
            over=over,
            **({} if wanted.nights is None else stay_facts(wanted)),
        )
    if wanted.hold:
        check_holds(wanted, venue, known.holds)
    if venue.policy.fair_use:
        may = Allowance.of(venue, wanted.asker, known.usage, now=known.now)
        check_rule(over, may.check, span, things=max(len(prepared.items), 1))
    for limit in limits_of(prepared):
        arrivals = known.arrivals.get((venue.id, limit.window), NONE)
        check_rule(over, check_limit, venue, limit, party_size=wanted.party_size, arrivals=arrivals)
    found = find_place(prepared, known.occupancy)
    if isinstance(found, list):
        return Further(found)
    if found is None:
        raise taken(prepared, known.occupancy)
    if prepared.sale is not NO_SALE:
        known.sales.check_stock(venue, span, prepared.sale)
        known.sales.check_uses(venue, prepared.sale.discount)
    booking = _booking(prepared, found, now=known.now, pricing=pricing)
    if venue.questions or wanted.details.answers:
        booking = replace(booking, details=answered(prepared, found.resources))
    if over is not None and wanted.overriding is not None:
        booking = replace(booking, overrides=wanted.overriding.entries(over.hit, wanted.actor))
    settle(found.fits, known.occupancy)
    return Created(booking, claims_of(booking, found.fits, changed_by=str(wanted.actor)))


def limits_of(prepared: Prepared) -> Sequence[Limit]:
    """Returns the bounds on arrivals that apply to the request."""
    policy = prepared.venue.policy
    if policy.pacing_covers_max is None and not policy.pacing:
        return ()
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


def _booking(prepared: Prepared, place: Place, *, now: datetime, pricing: Pricing) -> Booking:
    wanted, venue, span, sale = prepared.wanted, prepared.venue, prepared.span, prepared.sale
    price, items = quoted(prepared, place, pricing, now=now)
    local_start = span.start.astimezone(venue.tz).replace(tzinfo=None, fold=0)
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
        local_end=span.end.astimezone(venue.tz).replace(tzinfo=None, fold=0),
        timezone=venue.timezone,
        slot_id=prepared.slot_id,
        party_size=wanted.party_size,
        resource_ids=ids_of(prepared, place.resources, now=now),
        preferences=wanted.preferences,
        chosen_by=chosen_by(wanted),
        length_asked=asks_length(wanted),
        minutes_asked=asks_minutes(wanted),
        nights=None if wanted.nights is None else wanted.nights.count,
        arrival_on=None if wanted.nights is None else wanted.nights.arrival,
        guest=wanted.guest,
        price=price,
        items=items,
        extras=() if sale is NO_SALE else sale.taken,
        discount_code=None if sale.discount is None else sale.discount.code,
        details=wanted.details,
        idempotency_key=wanted.key,
        hold_ip=wanted.ip if status is Status.HELD else None,
        expires_at=expires,
        due_at=due_of(status, policy=venue.policy, start=span.start, end=span.end, expires=expires),
        created_at=now,
        updated_at=now,
        checked_in_at=now if status is Status.CHECKED_IN else None,
        **(counted_for(venue.policy, wanted.asker) if venue.policy.fair_use else {}),
    )


def quoted(
    prepared: Prepared, place: Place, pricing: Pricing, *, now: datetime
) -> tuple[Price, tuple[Item, ...]]:
    """Returns the current price at this place and, of an order, its items with their lines of it."""
    if not prepared.items:
        return price_of(prepared, place.resources, pricing, now=now), ()
    asked = [each.wanted for each in prepared.items]
    price, priced = pricing.quote_order(
        venue=prepared.venue,
        parts=[(own, each.party_size) for each, own in zip(asked, place.of_items, strict=True)],
        span=prepared.span,
        slot_id=prepared.slot_id,
        now=now,
        extras=prepared.sale.extras,
        discount=prepared.sale.discount,
    )
    items = [
        Item(
            id=each.id,
            party_size=each.party_size,
            resource_ids=tuple([one.id for one in own]),
            preferences=each.preferences,
            chosen_by=chosen_by(each),
            lines=part.lines,
            minimum_spend_minor=part.minimum_spend_minor,
        )
        for each, own, part in zip(asked, place.of_items, priced, strict=True)
    ]
    return price, tuple(items)


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


def asks_minutes(wanted: Wanted) -> bool:
    """Returns whether the length was asked for in minutes: a move keeps these, and not the end on the clock."""
    return wanted.when.duration_minutes is not None if wanted.minutes_asked is None else wanted.minutes_asked


def chosen_by(wanted: Wanted) -> ChosenBy:
    """Returns who chose the resources: the guest, who named them, or the house."""
    named = bool(wanted.resource_ids) if wanted.named is None else wanted.named
    return "guest" if named else "house"


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
    if prepared.sale is not NO_SALE:
        known.sales.add(created.booking)
    if known.arrivals:
        _count(created.booking, known)
    if prepared.venue.policy.fair_use:
        known.usage.add(created.booking)
    if prepared.wanted.hold:
        # Staff have no quota, but the holds they make count towards the guest's.
        for who, _ in hold_limits(prepared.wanted, prepared.venue):
            known.holds[who] = known.holds.get(who, 0) + 1


def reference(id_: UUID, local_day: date) -> str:
    """Returns BR-YYYYMMDD-XXXXXX, with the local day of the visit."""
    return f"BR-{local_day.year}{local_day.month:02}{local_day.day:02}-{reference_code(id_)}"


def reference_code(id_: UUID) -> str:
    """Returns the random end of a reference: six of thirty unambiguous characters, 729 million per day and tenant.

    It is derived from the random bits of a UUIDv7, so that it needs no source of randomness of its own.
    """
    number, base = id_.int & RANDOM_BITS, len(REFERENCE_ALPHABET)
    return "".join([REFERENCE_ALPHABET[number // base**place % base] for place in range(REFERENCE_CHARS)])
