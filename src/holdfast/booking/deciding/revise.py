"""Deciding on changes of bookings: what each becomes, and where it goes. Pure: no database, no HTTP, no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from holdfast.booking import states
from holdfast.booking.deciding import rules
from holdfast.booking.deciding.choose import claims_of, first_free, settle
from holdfast.booking.deciding.conflicts import taken
from holdfast.booking.deciding.decide import Further, open_sets, price_of
from holdfast.booking.deciding.prepared import Prepared, Wish
from holdfast.booking.model import Booking
from holdfast.claim.model import Claim, Occupancy, Probe
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import HoldfastError, Overloaded
from holdfast.place.opening.hours import to_wall
from holdfast.place.policy import Policy
from holdfast.place.venue import Resource
from holdfast.port.pricing import Pricing


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
        due_at=states.due_at(
            after.status, policy=venue.policy, start=span.start, end=span.end, expires=expires
        ),
    )


def _expires(after: Booking, start: datetime, policy: Policy) -> datetime | None:
    """An undecided request ends at its start at the latest, wherever that moves, and when its time is over.

    One that was a hold first had its time from when it became a request: a change takes none of that.
    """
    if after.status is not states.Status.PENDING_APPROVAL or after.expires_at is None:
        return after.expires_at
    decided_by = after.created_at + timedelta(hours=policy.approval_ttl_hours)
    return min(max(after.expires_at, decided_by), start)
