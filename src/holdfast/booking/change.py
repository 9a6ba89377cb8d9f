"""Changing a booking: time, duration, party, resources, guest data. All is checked anew."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from holdfast.booking import claiming, model, rules, states, store
from holdfast.booking.choose import Demand, candidate_sets
from holdfast.booking.conflicts import taken
from holdfast.booking.decide import open_sets
from holdfast.booking.model import Booking
from holdfast.booking.move import find_version
from holdfast.booking.prepared import Prepared
from holdfast.booking.states import InvalidTransition
from holdfast.booking.step import Step
from holdfast.booking.wanted import Preferences, Wanted, When, timed
from holdfast.channel.announce import announce
from holdfast.claim.model import Occupancy, Shift
from holdfast.kernel.span import Span
from holdfast.kernel.tx import Tx
from holdfast.place import hours
from holdfast.place.policy import Policy
from holdfast.place.venue import Resource, Venue


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be different; None leaves it as it is.

    `details`: columns that nothing is decided by (guest data, requests, notes, source, metadata).
    """

    booking_id: UUID
    expected_version: int
    when: When | None = None
    party_size: int | None = None
    resource_ids: tuple[UUID, ...] | None = None
    preferences: Preferences | None = None
    details: dict[str, Any] = field(default_factory=dict)


async def change(tx: Tx, asked: Change, *, venue: Venue) -> Booking:
    """The booking as changed. Refused, it keeps the claims and all else it had.

    Runs under the lock of `venue`, the booking's. Raises NotFound, VersionConflict, InvalidTransition, what the
    venue's rules refuse, NotAvailable.
    """
    before = await find_version(tx, venue.tenant_id, asked.booking_id, asked.expected_version)
    if before.status in states.TERMINAL:
        raise InvalidTransition(
            f"A booking that is {before.status} can't be changed any more: make a new one.",
            **{"from": before.status, "to": before.status, "allowed": []},
        )
    after = replace(before, version=before.version + 1, updated_at=tx.now, **asked.details)
    shift = Shift()
    if _moves(asked):
        after, shift = await _moved(tx, before, after, asked, venue)
    changed = sorted(
        name
        for name in model.COLUMNS
        if getattr(before, name) != getattr(after, name) and name not in ("version", "updated_at")
    )
    step = Step(
        booking=after,
        from_status=before.status,
        action="update",
        actor=str(tx.actor),
        metadata={"changed": changed},
        traceparent=tx.traceparent,
        previous=None if after.span == before.span else before.span,
    )
    await store.save(tx, [step])
    await announce(tx, venue, shift, reason=step.event_type)
    return after


def _moves(asked: Change) -> bool:
    """Whether time, party or resources change, so that the rules and the ledger have a say."""
    return any(
        value is not None for value in (asked.when, asked.party_size, asked.resource_ids, asked.preferences)
    )


async def _moved(
    tx: Tx, before: Booking, after: Booking, asked: Change, venue: Venue
) -> tuple[Booking, Shift]:
    prepared = _prepare(tx, before, asked, venue)
    await _check(tx, before, prepared)
    if not before.occupies:
        return _with(tx, after, prepared, _best_open(tx, prepared)), Shift()
    resources, units, occupancy = await claiming.place_for(tx, prepared)
    after = _with(tx, after, prepared, resources)
    return after, await claiming.occupy(tx, after, venue, resources, units, occupancy)


def _best_open(tx: Tx, prepared: Prepared) -> tuple[Resource, ...]:
    """The best set that is open then, for a booking that waits for a place. Raises NotAvailable."""
    sets = open_sets(prepared)
    if not sets:
        raise taken(prepared, Occupancy(tx.now))
    return sets[0]


def _prepare(tx: Tx, before: Booking, asked: Change, venue: Venue) -> Prepared:
    party_size = asked.party_size or before.party_size
    span, slot_id = before.span, before.slot_id
    if asked.when is not None:
        span, slot_id = timed(_filled(asked.when, before), venue, party_size=party_size)
    resource_ids, preferences = asked.resource_ids, asked.preferences
    if resource_ids is None:
        # Without a word on where, the party stays where it is.
        resource_ids = before.resource_ids if preferences is None else ()
    demand = Demand(party_size, resource_ids, preferences or Preferences())
    wanted = Wanted(
        id=before.id,
        tenant_id=before.tenant_id,
        venue_id=before.venue_id,
        actor=tx.actor,
        when=When(),
        party_size=party_size,
        resource_ids=resource_ids,
        preferences=preferences or Preferences(),
    )
    return Prepared(wanted, venue, span, slot_id, candidate_sets(venue, demand))


def _filled(when: When, before: Booking) -> When:
    """A new start alone moves the booking at its length; a new end or length alone keeps its start."""
    if when.start is None and when.wall is None and when.slot_id is None:
        when = replace(when, start=before.start_at)
    if when.end is None and when.duration_minutes is None and when.slot_id is None:
        minutes = int(before.span.duration.total_seconds() // 60)
        when = replace(when, duration_minutes=minutes)
    return when


async def _check(tx: Tx, before: Booking, prepared: Prepared) -> None:
    """The rules, as far as the change touches what they are about."""
    venue, span, wanted = prepared.venue, prepared.span, prepared.wanted
    if span != before.span or set(wanted.resource_ids) != set(before.resource_ids):
        named = prepared.sets[0] if wanted.resource_ids else ()
        rules.check_time(
            venue, named, span, now=tx.now, walk_in=span.start == before.start_at, slot_id=prepared.slot_id
        )
    moved_in = span.start != before.start_at or wanted.party_size > before.party_size
    if moved_in and venue.policy.pacing_covers_max is not None:
        window = rules.pacing_window(span.start)
        covers = await store.covers(tx, before, window=window, statuses=sorted(states.OCCUPYING))
        rules.check_pacing(venue, span, party_size=wanted.party_size, covers=covers)


def _with(tx: Tx, after: Booking, prepared: Prepared, resources: tuple[Resource, ...]) -> Booking:
    """The booking at its new time and place, priced anew, its clocks set by the new time."""
    venue, span, party_size = prepared.venue, prepared.span, prepared.wanted.party_size
    price = tx.ports.pricing.quote(venue=venue, resources=list(resources), span=span, party_size=party_size)
    expires = max(_expires(after, span, venue.policy) or tx.now, tx.now) if after.expires_at else None
    return replace(
        after,
        start_at=span.start,
        end_at=span.end,
        local_start=hours.to_wall(span.start, venue.tz),
        local_end=hours.to_wall(span.end, venue.tz),
        timezone=venue.timezone,
        slot_id=prepared.slot_id,
        party_size=party_size,
        resource_ids=tuple(resource.id for resource in resources),
        base_minor=price.base_minor,
        tax_minor=price.tax_minor,
        discount_minor=price.discount_minor,
        total_minor=price.total_minor,
        currency=price.currency,
        price_source=price.source,
        expires_at=expires,
        due_at=states.due_at(
            after.status, policy=venue.policy, start=span.start, end=span.end, expires=expires
        ),
    )


def _expires(after: Booking, span: Span, policy: Policy) -> datetime | None:
    """An undecided request ends at its start at the latest, wherever that moves, and when its time is over.

    One that was a hold first had its time from when it became a request: a change takes none of that.
    """
    if after.status is not states.Status.PENDING_APPROVAL or after.expires_at is None:
        return after.expires_at
    decided_by = after.created_at + timedelta(hours=policy.approval_ttl_hours)
    return min(max(after.expires_at, decided_by), span.start)
