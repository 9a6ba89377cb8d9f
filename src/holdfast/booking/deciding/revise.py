"""Decides changes of bookings: their new times, resources and prices. Pure: no database, no HTTP, no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from holdfast.assigning.choose import Preferences, first_free, settle
from holdfast.booking import states
from holdfast.booking.deciding import rules
from holdfast.booking.deciding.conflicts import taken
from holdfast.booking.deciding.decide import (
    Further,
    claims_of,
    open_sets,
    price_of,
    probes_of,
    timed,
    until_closing,
)
from holdfast.booking.deciding.length import check_length, usual_minutes
from holdfast.booking.deciding.wanted import Prepared, When, prepared_at, prepared_nearby, wanted_anew
from holdfast.booking.model import Booking, InvalidTransition, due_of
from holdfast.claim.model import Claim, Occupancy, Probe
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import HoldfastError, Overloaded
from holdfast.kernel.span import Span
from holdfast.place.opening.hours import to_wall
from holdfast.place.policy import Policy
from holdfast.place.venue import Resource, Venue
from holdfast.port.pricing import Pricing


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The requested changes to a booking. None means unchanged.

    `planned`: the resources that a plan has already chosen; no others are considered.
    `guest`, `details`: the fields to change. No decision depends on them.
    """

    booking_id: UUID
    expected_version: int
    when: When | None = None
    party_size: int | None = None
    resource_ids: tuple[UUID, ...] | None = None
    preferences: Preferences | None = None
    planned: tuple[UUID, ...] = ()
    guest: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def moves(self) -> bool:
        """Whether it is about the time, the party or the resources."""
        changes = (self.when, self.party_size, self.resource_ids, self.preferences)
        return any(value is not None for value in changes)


@dataclass(frozen=True, slots=True)
class Wish:
    """A requested change, resolved as far as is possible without the ledger. `prepared`: None if time, party and
    resources stay as they are: then no rule is asked."""

    asked: Change
    before: Booking
    prepared: Prepared | None

    def probes(self) -> Iterator[Probe]:
        """Yields the ledger probes that the decision needs."""
        if self.prepared is not None and self.before.occupies:
            yield from () if self.keeps_claims else probes_of(self.prepared)

    @property
    def keeps_claims(self) -> bool:
        """Whether the booking stays where and when it is, whatever else changes: its claims are right as they are."""
        prepared, before = self.prepared, self.before
        return prepared is None or (
            before.occupies
            and prepared.span == before.span
            and {each.id for each in prepared.sets[0]} == {*before.resource_ids}
        )

    def windows(self) -> Iterator[datetime]:
        """Yields the pacing window whose arrivals the decision needs, if any."""
        if self.prepared is None or self.prepared.venue.policy.pacing_covers_max is None:
            return
        span, party_size = self.prepared.span, self.prepared.wanted.party_size
        if span.start != self.before.start_at or party_size > self.before.party_size:
            yield rules.pacing_window(span.start)


def wish(asked: Change, before: Booking, venue: Venue, *, actor: Actor) -> Wish | HoldfastError:
    """Resolves the change, or returns the error if it can be refused without the ledger."""
    try:
        if before.status in states.TERMINAL:
            raise InvalidTransition(
                f"A booking that is {before.status} can no longer be changed: create a new one.",
                **{"from": before.status, "to": before.status, "allowed": []},
            )
        return Wish(asked, before, _prepare(asked, before, venue, actor))
    except HoldfastError as error:
        return error


def _prepare(asked: Change, before: Booking, venue: Venue, actor: Actor) -> Prepared | None:
    """Returns the request for what the booking will be; None if it stays where, when and for whom it is."""
    party_size = asked.party_size or before.party_size
    span, slot_id, length_asked = _time(asked, before, venue, actor)
    if is_unmoved(asked, before, span, slot_id):
        return None
    wanted = replace(
        wanted_anew(before, actor), party_size=party_size, planned=asked.planned, length_asked=length_asked
    )
    if asked.resource_ids is not None:
        wanted = replace(wanted, resource_ids=asked.resource_ids, named=True)
    elif asked.preferences is not None:
        wanted = replace(wanted, resource_ids=(), preferences=asked.preferences, named=False)
    elif before.chosen_by == "house" and not asked.planned:
        return prepared_nearby(wanted, before, venue, span, slot_id)
    return prepared_at(wanted, venue, span, slot_id)


def is_unmoved(asked: Change, before: Booking, span: Span, slot_id: str | None) -> bool:
    """Returns whether the change leaves time, party and resources as they are, said again or not."""
    named = before.chosen_by == "guest" and {*before.resource_ids} == {*(asked.resource_ids or ())}
    preferred = before.chosen_by == "house" and asked.preferences == before.preferences
    return (
        (span, slot_id) == (before.span, before.slot_id)
        and asked.party_size in (None, before.party_size)
        and (asked.resource_ids is None or named)
        and (asked.preferences is None or preferred)
    )


def _time(asked: Change, before: Booking, venue: Venue, actor: Actor) -> tuple[Span, str | None, bool]:
    """Returns the time of the changed booking, its slot, and whether its length was asked for."""
    when, party_size = asked.when or When(), asked.party_size or before.party_size
    grows = party_size != before.party_size and not before.length_asked and before.slot_id is None
    if asked.when is None and not grows:
        return before.span, before.slot_id, before.length_asked
    usual = usual_minutes(venue.policy, party_size) if grows else None
    span, slot_id = timed(_fill_in(when, before, usual), venue, party_size=party_size)
    if when.says_length:
        if span.duration != before.span.duration:
            check_length(span.duration, venue.policy, party_size=party_size, is_staff=actor.is_staff)
        return span, slot_id, True
    if grows and before.status is states.Status.CHECKED_IN:
        span = until_closing(venue, span)  # as when it was seated
    return span, slot_id, before.length_asked and slot_id is None


def _fill_in(when: When, before: Booking, usual: int | None) -> When:
    """Fills in what the request leaves out: a new start keeps the length, unless the party gets its usual one; a new
    end or length keeps the start."""
    if when.start is None and when.wall is None and when.slot_id is None:
        when = replace(when, start=before.start_at)
    if not when.says_length and when.slot_id is None:
        minutes = int(before.span.duration.total_seconds() // 60)
        when = replace(when, duration_minutes=usual or minutes)
    return when


@dataclass(frozen=True, slots=True)
class Revised:
    """A changed booking. `claims`: its new claims; None if its claims do not change."""

    before: Booking
    after: Booking
    claims: Sequence[Claim] | None


@dataclass(slots=True)
class Around:
    """What a change is decided by: the claims, and the guests arriving by pacing window and booking. `out`: bookings
    whose old claims and arrivals no longer count. `in_full`: bookings for which every set is looked at, because the
    first ones are taken."""

    occupancy: Occupancy
    arriving: dict[datetime, dict[UUID, int]]
    out: set[UUID] = field(default_factory=set[UUID])
    in_full: set[UUID] = field(default_factory=set[UUID])

    def learn(self, claims: Iterable[Claim], probes: Sequence[Probe]) -> None:
        """Adds the ledger's answer to these probes, without the claims of bookings that no longer count."""
        self.occupancy.learn((each for each in claims if each.owner_id not in self.out), probes)

    def leave_out(self, ids: Collection[UUID]) -> None:
        """Removes these bookings: from now on their old claims and arrivals no longer count."""
        self.out |= set(ids)
        by_resource = self.occupancy.by_resource
        for resource_id, claims in by_resource.items():
            by_resource[resource_id] = [each for each in claims if each.owner_id not in ids]
        for window, guests in self.arriving.items():
            self.arriving[window] = {id_: size for id_, size in guests.items() if id_ not in ids}

    def count(self, revised: Revised) -> None:
        """Adds the changed booking where it is now."""
        for claim in revised.claims or ():
            self.occupancy.add(claim)
        after = revised.after
        if (window := rules.pacing_window(after.start_at)) in self.arriving and after.occupies:
            self.arriving[window][after.id] = after.party_size


def revise(
    wish: Wish | HoldfastError, around: Around, *, actor: Actor, pricing: Pricing
) -> Revised | HoldfastError | Further:
    """Returns the changed booking, or the error it is refused with: the wish's own, the rules' or the ledger's.

    Its old claims do not block it. A changed booking is added to `around`, so that it counts for the later ones.
    Further: read those probes and decide again. Raises Overloaded.
    """
    if isinstance(wish, HoldfastError):
        return wish
    try:
        revised = _revise(wish, around, actor, pricing)
    except Overloaded:
        raise
    except HoldfastError as error:
        return error
    if isinstance(revised, Revised):
        if wish.before.id not in around.out:
            around.leave_out({wish.before.id})
        around.count(revised)
    return revised


def _revise(wish: Wish, around: Around, actor: Actor, pricing: Pricing) -> Revised | Further:
    before, prepared, now = wish.before, wish.prepared, around.occupancy.now
    after = replace(
        before,
        version=before.version + 1,
        updated_at=now,
        guest=replace(before.guest, **wish.asked.guest),
        details=replace(before.details, **wish.asked.details),
    )
    if prepared is None:
        return Revised(before, after, None)
    _check(wish, prepared, around)
    if wish.keeps_claims:
        return Revised(before, _stayed(after, prepared, pricing), None)
    if before.id in around.in_full or not before.occupies:
        prepared = prepared.in_full()
    sets = open_sets(prepared)
    if not before.occupies:  # it has no place yet and gets the best set that is open
        if not sets:
            raise taken(prepared, Occupancy(now))
        return Revised(before, _moved(after, prepared, sets[0], now=now, pricing=pricing), None)
    found = first_free(sets, prepared.span, around.occupancy, but=before.id)
    if found is None and prepared.rest:
        around.in_full.add(before.id)
        return Further(list(probes_of(prepared.in_full())))
    if found is None:
        raise taken(prepared, around.occupancy, but=before.id)
    if isinstance(found, list):
        return Further(found)
    resources, fits = found
    after = _moved(after, prepared, resources, now=now, pricing=pricing)
    units = settle(fits, around.occupancy)
    return Revised(before, after, claims_of(after, resources, units, changed_by=str(actor)))


def _check(wish: Wish, prepared: Prepared, around: Around) -> None:
    """Checks the rules that the change affects."""
    venue, span, wanted, before = prepared.venue, prepared.span, prepared.wanted, wish.before
    named = {*wanted.resource_ids}
    if span != before.span or (named and named != {*before.resource_ids}):
        rules.check_time(
            venue,
            prepared.sets[0] if wanted.resource_ids else (),
            span,
            now=around.occupancy.now,
            walk_in=span.start == before.start_at,
            slot_id=prepared.slot_id,
        )
    for window in wish.windows():
        others = {id_: size for id_, size in around.arriving.get(window, {}).items() if id_ != before.id}
        rules.check_pacing(venue, span, party_size=wanted.party_size, covers=sum(others.values()))


def _stayed(after: Booking, prepared: Prepared, pricing: Pricing) -> Booking:
    """Returns the booking at the time and place it had. Another party has another price."""
    wanted = prepared.wanted
    priced = wanted.party_size != after.party_size
    return replace(
        after,
        slot_id=prepared.slot_id,
        length_asked=wanted.asks_length,
        party_size=wanted.party_size,
        chosen_by=wanted.chosen_by,
        preferences=wanted.preferences,
        price=price_of(prepared, prepared.sets[0], pricing) if priced else after.price,
    )


def _moved(
    after: Booking, prepared: Prepared, resources: tuple[Resource, ...], *, now: datetime, pricing: Pricing
) -> Booking:
    """Returns the booking at its new time and place, with a new price and new deadlines."""
    venue, span, wanted = prepared.venue, prepared.span, prepared.wanted
    timed_anew = (
        {}
        if span == after.span
        else {
            "start_at": span.start,
            "end_at": span.end,
            "local_start": to_wall(span.start, venue.tz),
            "local_end": to_wall(span.end, venue.tz),
            "timezone": venue.timezone,
        }
    )
    expires = max(_expires(after, span.start, venue.policy) or now, now) if after.expires_at else None
    return replace(
        after,
        **timed_anew,
        slot_id=prepared.slot_id,
        length_asked=wanted.asks_length,
        party_size=wanted.party_size,
        chosen_by=wanted.chosen_by,
        preferences=wanted.preferences,
        resource_ids=tuple(resource.id for resource in resources),
        price=price_of(prepared, resources, pricing),
        expires_at=expires,
        due_at=due_of(after.status, policy=venue.policy, start=span.start, end=span.end, expires=expires),
    )


def _expires(after: Booking, start: datetime, policy: Policy) -> datetime | None:
    """Returns the new expiry. An undecided request expires when its approval time is over, but no later than its start.

    A request that began as a hold has had its approval time since it became a request; a change does not shorten it.
    """
    if after.status is not states.Status.PENDING_APPROVAL or after.expires_at is None:
        return after.expires_at
    decided_by = after.created_at + timedelta(hours=policy.approval_ttl_hours)
    return min(max(after.expires_at, decided_by), start)
