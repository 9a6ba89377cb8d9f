"""The search for free times, used by suggestions, the availability check, the views and the waitlist. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from holdfast.assigning.choose import distinct, settle
from holdfast.assigning.combine import capacity
from holdfast.assigning.pool import fit_in_pool
from holdfast.booking.deciding.prepare import check_time, is_bound_late
from holdfast.booking.rules.fair_use import Allowance
from holdfast.booking.rules.held_back import is_kept, kept_bits, open_at
from holdfast.booking.rules.pacing import check_arrived
from holdfast.booking.rules.sittings import is_slots_only, slots_near
from holdfast.booking.said import GUEST, Asker
from holdfast.claim.free_times import FreeTimes
from holdfast.claim.model import UNBOUND, Claim, Occupancy, claimed_span, units_needed
from holdfast.claim.recolour import Fit
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.pacing.arrived import Arrived
from holdfast.place.opening import hours, slot
from holdfast.place.opening.open_bits import open_bits
from holdfast.place.opening.opened import (
    choices,
    hours_of,
    is_on_step,
    is_open,
    starts_of_day,
    step_hours,
)
from holdfast.place.opening.stay import Nights, arrival_of, count_of, nights_of, span_of
from holdfast.place.venue import Resource, Venue

Sets = Sequence[tuple[Resource, ...]]


@dataclass(frozen=True, slots=True)
class Found:
    """A free span, and the sets of resources that are free for it, best first.

    `fit`: for a type that is bound late, of which no resource is free: the place it has if others move. Then the only
    set is that of a booking of the type; nobody can have it by name.
    """

    span: Span
    sets: tuple[tuple[Resource, ...], ...]
    fit: Fit | None = None

    @property
    def resource_ids(self) -> tuple[UUID, ...]:
        """What a booking of that place may name; empty where it has to ask for the type."""
        return () if self.fit is not None else tuple([each.id for each in self.sets[0]])


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a search reads about a period at a venue: its claims, and who arrives. `asker`: for whom it searches.
    `allowance`: what they may still book; None: as much as there is."""

    venue: Venue
    now: datetime
    occupancy: Occupancy
    arrived: Arrived
    asker: Asker = GUEST
    allowance: Allowance | None = None
    _times: dict[UUID, FreeTimes] = field(default_factory=dict)
    _choices: dict[int, tuple[Sets, Sets]] = field(default_factory=dict)

    def free(
        self,
        sets: Sets,
        span: Span,
        *,
        party_size: int,
        slot_id: str | None = None,
        most: int = 1,
        is_type: bool = False,
        **stay: Any,
    ) -> Found | None:
        """Returns the best sets, at most `most`, that the rules and the ledger allow for that span; None if there
        are none. `is_type`: the sets are the resources of a type, and one of them is asked for by it: it may be
        promised, if `look` was told so. `stay`: what else `rules.check_time` is told about a stay."""
        if slot_id is None and is_slots_only(self.venue, is_staff=self.asker.is_staff):
            return None
        if self.allowance is not None and not self.allowance.allows(span):
            return None
        try:
            among, facts = self._choices_of(sets), dict[str, Any](stay, is_staff=self.asker.is_staff)
            check_time(self.venue, (), span, now=self.now, among=among, slot_id=slot_id, **facts)
            asked = {"slot_id": slot_id, "source": self.asker.source, "party_size": party_size}
            check_arrived(self.venue, self.arrived, span.start, **asked)
        except HoldfastError:
            return None
        known: dict[UUID, bool] = {}
        free = (
            resources
            for resources in sets
            if all(self.is_free(each, span, party_size, known) for each in resources)
            and (slot_id is not None or self._starts_right(resources, span))
        )
        found = tuple(islice(free, most))
        if found or not is_type:
            return Found(span, found) if found else None
        return fit_promise(self.venue, self.asker, sets, span, self.occupancy)

    def starts(
        self, resource: Resource, times: Sequence[datetime], length: timedelta, *, party_size: int
    ) -> int:
        """Returns a bit for each time, as `FreeTimes.starts` does: set if the ledger and the resource's own hours
        leave room for the party for that long. Ignores the venue's rules."""
        found = (1 << len(times)) - 1
        if self.venue.policy.held_back:
            found &= ~kept_bits(self.venue, self.asker, resource, times, now=self.now)
        for leaf in resource.claimed:
            units = units_needed(resource, leaf, party_size)
            found = found and found & self._times_of(leaf).starts(times, length, leaf=leaf, units=units)
        for own in hours_of((resource,)) if self.venue.has_own_hours else ():
            if found:
                found &= open_bits(self.venue, own, times, length)
        return found

    def take(
        self, found: Found, *, party_size: int, slot_id: str | None = None, is_type: bool = False
    ) -> None:
        """Marks the best of the found sets as booked for the span."""
        for resource in found.sets[0] if found.fit is None else ():
            for leaf in resource.claimed:
                units = units_needed(resource, leaf, party_size)
                self._times_of(leaf).take(claimed_span(leaf, found.span), units=units)
        if self.venue.policy.bind_group != "at_once":
            self._add(found, party_size, is_type=is_type)
        self.arrived.add(found.span.start, slot_id, self.asker.source, party_size)

    def _add(self, found: Found, party_size: int, *, is_type: bool) -> None:
        """Adds what is taken to the occupancy, by which promises are made."""
        if found.fit is not None:
            settle([found.fit], self.occupancy)
            for id_ in (
                found.fit.resource.id,
                *found.fit.to,
                *(each.resource_id for each, _ in found.fit.moves),
            ):
                self._times.pop(id_, None)
        late = is_type and is_bound_late(self.venue, found.span, now=self.now)
        kind = UNBOUND if late else "booking"
        for resource in found.sets[0]:
            for leaf in resource.claimed:
                span, owner = claimed_span(leaf, found.span), new_id()
                for unit in range(1, units_needed(resource, leaf, party_size) + 1):
                    self.occupancy.add(Claim(self.venue.tenant_id, leaf.id, unit, span, owner, kind))

    def is_free(
        self, resource: Resource, span: Span, party_size: int, known: dict[UUID, bool] | None = None
    ) -> bool:
        """Returns whether the resource is free then, whatever the venue's rules say. `known`: what is known of other
        resources for the same span and party; it is added."""
        known = {} if known is None else known
        if resource.id not in known:
            is_closed = self.venue.has_own_hours and not is_open(self.venue, (resource,), span)
            if self.venue.policy.held_back and not is_closed:
                is_closed = is_kept(self.venue, self.asker, resource, span.start, now=self.now)
            known[resource.id] = not is_closed and all(
                self._times_of(leaf).free(
                    claimed_span(leaf, span), units=units_needed(resource, leaf, party_size)
                )
                for leaf in resource.claimed
            )
        return known[resource.id]

    def _times_of(self, resource: Resource) -> FreeTimes:
        times = self._times.get(resource.id)
        if times is None:
            claims_ = self.occupancy.by_resource.get(resource.id, ())
            times = self._times[resource.id] = FreeTimes.of(resource, claims_, now=self.now)
        return times

    def _starts_right(self, resources: Sequence[Resource], span: Span) -> bool:
        """Returns whether a booking of these resources could start then: with hours of their own, they have their own
        slot steps."""
        return not self.venue.has_own_hours or is_on_step(self.venue, resources, span)

    def _choices_of(self, sets: Sets) -> Sets:
        known = self._choices.get(id(sets))
        if known is None or known[0] is not sets:
            known = self._choices[id(sets)] = sets, choices(self.venue, sets)
        return known[1]


def fit_promise(venue: Venue, asker: Asker, sets: Sets, span: Span, occupancy: Occupancy) -> Found | None:
    """Returns the place that a booking of the type, which the sets are the resources of, would be promised at a time
    that the rules allow, although none is free: others that have no resource yet move. None if the type is bound at
    once, or there is no such place. `occupancy`: with all claims to come."""
    if venue.policy.held_back:
        sets = open_at(venue, asker, sets, span.start, now=occupancy.now)
    if not sets or not is_bound_late(venue, span, now=occupancy.now):
        return None
    fit = fit_in_pool(distinct(sets), span, occupancy, tenant_id=venue.tenant_id)
    return Found(span, ((fit.resource,),), fit) if isinstance(fit, Fit) else None


def equivalent(
    venue: Venue, resource_ids: Sequence[UUID], party_size: int
) -> tuple[tuple[Resource, ...], ...]:
    """Returns the sets of as many resources of the same kinds that seat the party, best first.

    For several lanes: other lanes that are neighbours in the venue's order.
    """
    kinds, size = {venue.resources[id_].kind for id_ in resource_ids}, len(resource_ids)
    alike = [each for each in venue.resources.values() if each.active and each.kind in kinds]
    alike.sort(key=lambda each: (each.seats_max if size == 1 else 0, each.order))
    if size > 1:  # these are booked on their own
        alike = [each for each in alike if each.takes == "party" and not each.leaves]
    rows = [tuple(alike[first : first + size]) for first in range(len(alike) - size + 1)]
    found = []
    for row in rows:
        ids = {each.id for each in row}
        least, most = capacity(venue, ids)
        if ids != set(resource_ids) and least <= party_size <= most:
            found.append(row)
    return tuple(found)


def spans_around(venue: Venue, sets: Sets, span: Span, within: timedelta) -> list[Span]:
    """Returns the spans as long as this one, up to `within` away, nearest first, that the venue's hours and step allow.
    Where nights are sold: as many nights from other dates."""
    if venue.stay is None:
        starts = starts_around(venue, sets, span, within)
        return [Span(start, start + span.duration) for start in starts]
    nights = nights_of(venue.stay, span, venue.tz)
    by = sorted(range(-within.days, within.days + 1), key=lambda days: (abs(days), days))
    moved = (Nights(nights.arrival + timedelta(days=each), nights.count) for each in by)
    return [span_of(venue.stay, each, venue.tz) for each in moved]


def visit(venue: Venue, start: datetime, length: timedelta) -> Span:
    """Returns the visit of that length that starts then. Where nights are sold, it ends at check-out."""
    if venue.stay is None:
        return Span(start, start + length)
    count = count_of(venue.stay, length // timedelta(minutes=1))
    arrival = arrival_of(venue.stay, start, venue.tz)
    return Span(start, span_of(venue.stay, Nights(arrival, count), venue.tz).end)


def starts_around(venue: Venue, sets: Sets, span: Span, within: timedelta) -> list[datetime]:
    """Returns the starts on the slot step, and those of slots that are as long, for a booking of the span's length, up
    to `within` away, nearest first."""
    minutes = max(int(span.duration.total_seconds() // 60), 1)
    able = choices(venue, sets)
    days = _days_of(venue, able, Span(span.start - within, span.start + within))
    starts = {start for day in days for start in starts_of_day(venue, able, day, duration_minutes=minutes)}
    of_slots = slots_near(venue, span) if venue.slots else ()
    starts |= {each.span.start for each in of_slots if each.span.duration == span.duration}
    near = [start for start in starts if abs(start - span.start) <= within]
    return sorted(near, key=lambda start: (abs(start - span.start), start))


def _days_of(venue: Venue, able: Sets, within: Span) -> list[date]:
    """Returns the opening days that have times in the span, in order, and one before and after them: an opening of the
    day before may continue into a day, and two openings may hold the same time."""
    owned = [step_hours(each) for each in able]
    first = min(hours.opening_day(venue, own, within.start) for own in owned)
    last = max(hours.opening_day(venue, own, within.end) for own in owned)
    return [first + timedelta(days=n) for n in range(-1, (last - first).days + 2)]


def starts(venue: Venue, sets: Sets, *, minutes: int, within: Span) -> Iterator[datetime]:
    """Yields every start from `within.start` to `within.end`, both included, for a booking of that many minutes, in
    order.

    These are the starts on the slot step since opening (of the resources' own hours, if they have them) and
    the starts of slots of exactly that length. Ignores minimum notice, maximum advance and claims.
    """
    able = choices(venue, sets)
    # Starts of one day may come after the first ones of the next day.
    done = None
    for day in _days_of(venue, able, within):
        of_day = set[datetime]()
        if venue.policy.starts == "any":
            of_day.update(starts_of_day(venue, able, day, duration_minutes=minutes))
        if venue.slots or venue.policy.starts == "slots":
            windows = [each.span for each in slot.windows_on(venue, day)]
            of_day.update(span.start for span in windows if span.duration == timedelta(minutes=minutes))
        for start in sorted(of_day):
            if within.start <= start <= within.end and (done is None or start > done):
                done = start
                yield start
