"""Looking for a place for each who waits, in a stretch of time of which the ledger was read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from holdfast.booking import rules, search
from holdfast.booking.choose import Demand, candidate_sets, distinct, free_units
from holdfast.booking.search import Found, Outlook
from holdfast.claim.model import Claim, claimed_span
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.kernel.tx import Tx
from holdfast.place.opening import DAY_MINUTES
from holdfast.place.venue import Resource, Venue
from holdfast.waitlist.model import Entry
from holdfast.waitlist.starts import starts

Sets = tuple[tuple[Resource, ...], ...]


def sets_for(venue: Venue, entry: Entry) -> Sets:
    """The sets of resources that would do by the venue's present rules, best first; none when none would."""
    try:
        return candidate_sets(venue, entry.demand)
    except HoldfastError:
        return ()


@dataclass(slots=True)
class Look:
    """What is free in a stretch of time; what was found for one is taken for those who come after.

    `shortest`: the visit of all that they want; where a resource has no time for that it is not looked at
    further, which in a full house leaves little. `looks`: how many questions it took so far.
    """

    venue: Venue
    piece: Span
    sets: dict[Demand, Sets]
    outlook: Outlook
    shortest: timedelta
    looks: int = 0
    _resources: list[Resource] = field(init=False)
    _free: dict[datetime, set[UUID]] = field(default_factory=dict)
    _alone: dict[Demand, frozenset[UUID]] = field(default_factory=dict)
    _refused: dict[tuple[Demand, datetime], int] = field(default_factory=dict)
    _starts: dict[tuple[object, int], list[datetime]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._resources = distinct(resources for each in self.sets.values() for resources in each)

    def place_for(self, entry: Entry) -> Found | None:
        """The first start in its window, of a visit that shares time with the piece, with the best free set."""
        sets = self.sets[entry.demand]
        if not sets:
            return None
        for start in self._starts_for(entry, sets):
            if self._is_refused(entry, start) or not self._may_be_free(entry.demand, start):
                continue
            self.looks += 1
            found = self.outlook.free(sets, Span(start, start + entry.length), party_size=entry.party_size)
            if found is not None:
                return found
            self._refused[entry.demand, start] = entry.duration_minutes
        return None

    def _is_refused(self, entry: Entry, start: datetime) -> bool:
        """Whether the same, or less, was asked before: what is not free for a visit is not for a longer one.
        Beyond a day hours count otherwise (`hours.is_open`)."""
        refused, minutes = self._refused.get((entry.demand, start)), entry.duration_minutes
        return refused is not None and (refused == minutes or refused < minutes <= DAY_MINUTES)

    def _may_be_free(self, demand: Demand, start: datetime) -> bool:
        free = self._free_at(start)
        alone = self._alone.get(demand)
        if alone is None:
            alone = self._alone[demand] = frozenset(
                each[0].id for each in self.sets[demand] if len(each) == 1
            )
        if not alone.isdisjoint(free):
            return True
        if len(alone) == len(self.sets[demand]):
            return False
        return any(all(each.id in free for each in resources) for resources in self.sets[demand])

    def _free_at(self, start: datetime) -> set[UUID]:
        """The resources that have time for the shortest visit then, or had before something was taken."""
        free = self._free.get(start)
        if free is None:
            span = Span(start, start + self.shortest)
            free = {each.id for each in self._resources if self.outlook.has_time(each, span)}
            self._free[start] = free
        return free

    def _starts_for(self, entry: Entry, sets: Sets) -> Iterator[datetime]:
        own = sets[0][0].hours if len(sets) == 1 else None
        at = (own, entry.duration_minutes)
        known = self._starts.get(at)
        if known is None:
            within = Span(self.piece.start - entry.length, self.piece.end)
            found = starts(self.venue, sets, minutes=entry.duration_minutes, within=within)
            known = self._starts[at] = [start for start in found if self._free_at(start)]
        for start in known:
            if start > entry.latest_at:
                return
            if start >= entry.earliest_at and Span(start, start + entry.length).overlaps(self.piece):
                yield start

    def take(self, found: Found, *, party_size: int) -> None:
        """From now on the best of the sets found is taken then."""
        resources = found.sets[0]
        units = free_units(resources, found.span, self.outlook.occupancy)
        assert units is not None
        owner = new_id()
        self.outlook.take(
            Claim(self.venue.tenant_id, resource.id, unit, claimed_span(resource, found.span), owner)
            for resource, unit in zip(resources, units, strict=True)
        )
        window = rules.pacing_window(found.span.start)
        covers = self.outlook.covers
        covers[window] = covers.get(window, 0) + party_size
        for start, free in self._free.items():
            span = Span(start, start + self.shortest)
            free.difference_update(
                each.id for each in resources if each.id in free and not self.outlook.has_time(each, span)
            )


async def look(tx: Tx, venue: Venue, piece: Span, entries: Sequence[Entry]) -> Look | None:
    """Reads the ledger once for all of them; None when no resource would do for any."""
    sets: dict[Demand, Sets] = {}
    for entry in entries:
        if entry.demand not in sets:
            sets[entry.demand] = sets_for(venue, entry)
    everything = [resources for each in sets.values() for resources in each]
    if not everything:
        return None
    lengths = [entry.length for entry in entries]
    around = Span(piece.start - max(lengths), piece.end + max(lengths))
    return Look(venue, piece, sets, await search.look(tx, venue, everything, around), min(lengths))
