"""What is wanted, understood: a booking, and a change of one. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from holdfast.booking import states
from holdfast.booking.deciding import rules
from holdfast.booking.deciding.choose import Demand, candidate_sets, distinct, named_resources
from holdfast.booking.deciding.wanted import ANYTHING, Preferences, Wanted, When, timed
from holdfast.booking.model import Booking
from holdfast.booking.states import InvalidTransition
from holdfast.claim.model import Probe, claimed_span
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource, Venue


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be different; None leaves it as it is.

    `planned`: the resources that a plan has chosen of those that would do; no others are looked at then.
    `guest`, `details`: the fields of these that are to be different; nothing is decided by them.
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
        """Whether time, party or resources change, so that the rules and the ledger have a say."""
        said = (self.when, self.party_size, self.resource_ids, self.preferences)
        return any(value is not None for value in said)


@dataclass(frozen=True, slots=True)
class Wish:
    """A change of that booking, worked out as far as the venue's rules alone go. `prepared`: None where nothing
    moves."""

    asked: Change
    before: Booking
    prepared: Prepared | None

    def probes(self) -> Iterator[Probe]:
        """What must be known of the ledger to decide."""
        if self.prepared is not None and self.before.occupies:
            yield from self.prepared.probes()

    def windows(self) -> Iterator[datetime]:
        """The quarter of an hour of which must be known who arrives, if any."""
        if self.prepared is None or self.prepared.venue.policy.pacing_covers_max is None:
            return
        span, party_size = self.prepared.span, self.prepared.wanted.party_size
        if span.start != self.before.start_at or party_size > self.before.party_size:
            yield rules.pacing_window(span.start)


def wish(asked: Change, before: Booking, venue: Venue, *, actor: Actor) -> Wish | HoldfastError:
    """The change of that booking, or what is refused of it by the rules alone."""
    try:
        if before.status in states.TERMINAL:
            raise InvalidTransition(
                f"A booking that is {before.status} can't be changed any more: make a new one.",
                **{"from": before.status, "to": before.status, "allowed": []},
            )
        return Wish(asked, before, _prepare(asked, before, venue, actor) if asked.moves else None)
    except HoldfastError as error:
        return error


def _prepare(asked: Change, before: Booking, venue: Venue, actor: Actor) -> Prepared:
    party_size = asked.party_size or before.party_size
    span, slot_id = before.span, before.slot_id
    if asked.when is not None:
        span, slot_id = timed(_filled(asked.when, before), venue, party_size=party_size)
    resource_ids, preferences = asked.resource_ids, asked.preferences
    if resource_ids is None:
        # Without a word on where, the party stays where it is.
        resource_ids = before.resource_ids if preferences is None else ()
    wanted = replace(
        wanted_anew(before, actor),
        party_size=party_size,
        resource_ids=resource_ids,
        preferences=preferences or ANYTHING,
        planned=asked.planned,
    )
    return prepared_at(wanted, venue, span, slot_id)


def _filled(when: When, before: Booking) -> When:
    """A new start alone moves the booking at its length; a new end or length alone keeps its start."""
    if when.start is None and when.wall is None and when.slot_id is None:
        when = replace(when, start=before.start_at)
    if when.end is None and when.duration_minutes is None and when.slot_id is None:
        minutes = int(before.span.duration.total_seconds() // 60)
        when = replace(when, duration_minutes=minutes)
    return when
