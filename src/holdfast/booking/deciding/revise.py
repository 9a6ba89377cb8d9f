"""Changes of bookings: what is asked, what each becomes, and where it goes. Pure: no database, no HTTP, no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from holdfast.assigning.choose import ANYTHING, Preferences, first_free, settle
from holdfast.booking import states
from holdfast.booking.deciding import rules
from holdfast.booking.deciding.conflicts import taken
from holdfast.booking.deciding.decide import Further, claims_of, open_sets, price_of, probes_of, timed
from holdfast.booking.deciding.wanted import Prepared, When, prepared_at, wanted_anew
from holdfast.booking.model import Booking, InvalidTransition, due_of
from holdfast.claim.model import Claim, Occupancy, Probe
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import HoldfastError, Overloaded
from holdfast.place.opening.hours import to_wall
from holdfast.place.policy import Policy
from holdfast.place.venue import Resource, Venue
from holdfast.port.pricing import Pricing


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
            yield from probes_of(self.prepared)

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


@dataclass(frozen=True, slots=True)
class Revised:
    """A booking as changed. `claims`: what it occupies from now on; None where it stays what it was."""

    before: Booking
    after: Booking
    claims: Sequence[Claim] | None


@dataclass(slots=True)
class Around:
    """What is known: who occupies what, and how many guests of which booking arrive in which quarter of an hour.
    `out`: the bookings that are left out of it, where they were before."""

    occupancy: Occupancy
    arriving: dict[datetime, dict[UUID, int]]
    out: set[UUID] = field(default_factory=set[UUID])

    def learn(self, claims: Iterable[Claim], probes: Sequence[Probe]) -> None:
        """Adds what the ledger answered to these probes."""
        self.occupancy.learn((each for each in claims if each.owner_id not in self.out), probes)

    def leave_out(self, ids: Collection[UUID]) -> None:
        """From now on it is as if these bookings were not."""
        self.out |= set(ids)
        by_resource = self.occupancy.by_resource
        for resource_id, claims in by_resource.items():
            by_resource[resource_id] = [each for each in claims if each.owner_id not in ids]
        for window, guests in self.arriving.items():
            self.arriving[window] = {id_: size for id_, size in guests.items() if id_ not in ids}

    def count(self, revised: Revised) -> None:
        """From now on the booking is also where it was moved to."""
        for claim in revised.claims or ():
            self.occupancy.add(claim)
        after = revised.after
        if (window := rules.pacing_window(after.start_at)) in self.arriving and after.occupies:
            self.arriving[window][after.id] = after.party_size


def revise(
    wish: Wish | HoldfastError, around: Around, *, actor: Actor, pricing: Pricing
) -> Revised | HoldfastError | Further:
    """The booking as changed, or why it can't be: by what a wish was refused for, by the rules, by the ledger.

    What it occupies so far is no obstacle to it; what it gets counts for the next. Further: more of the ledger must
    be known. Raises Overloaded.
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
    sets = open_sets(prepared)
    if not before.occupies:  # it waits for a place: the best that is open then
        if not sets:
            raise taken(prepared, Occupancy(now))
        return Revised(before, _with(after, prepared, sets[0], now=now, pricing=pricing), None)
    found = first_free(sets, prepared.span, around.occupancy, but=before.id)
    if found is None:
        raise taken(prepared, around.occupancy, but=before.id)
    if isinstance(found, list):
        return Further(found)
    resources, fits = found
    after = _with(after, prepared, resources, now=now, pricing=pricing)
    units = settle(fits, around.occupancy)
    return Revised(before, after, claims_of(after, resources, units, changed_by=str(actor)))


def _check(wish: Wish, prepared: Prepared, around: Around) -> None:
    """The rules, as far as the change touches what they are about."""
    venue, span, wanted, before = prepared.venue, prepared.span, prepared.wanted, wish.before
    if span != before.span or set(wanted.resource_ids) != set(before.resource_ids):
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


def _with(
    after: Booking, prepared: Prepared, resources: tuple[Resource, ...], *, now: datetime, pricing: Pricing
) -> Booking:
    """The booking at its new time and place, priced anew, its clocks set by the new time."""
    venue, span = prepared.venue, prepared.span
    expires = max(_expires(after, span.start, venue.policy) or now, now) if after.expires_at else None
    return replace(
        after,
        start_at=span.start,
        end_at=span.end,
        local_start=to_wall(span.start, venue.tz),
        local_end=to_wall(span.end, venue.tz),
        timezone=venue.timezone,
        slot_id=prepared.slot_id,
        party_size=prepared.wanted.party_size,
        resource_ids=tuple(resource.id for resource in resources),
        price=price_of(prepared, resources, pricing),
        expires_at=expires,
        due_at=due_of(after.status, policy=venue.policy, start=span.start, end=span.end, expires=expires),
    )


def _expires(after: Booking, start: datetime, policy: Policy) -> datetime | None:
    """An undecided request ends at its start at the latest, wherever that moves, and when its time is over.

    One that was a hold first had its time from when it became a request: a change takes none of that.
    """
    if after.status is not states.Status.PENDING_APPROVAL or after.expires_at is None:
        return after.expires_at
    decided_by = after.created_at + timedelta(hours=policy.approval_ttl_hours)
    return min(max(after.expires_at, decided_by), start)
