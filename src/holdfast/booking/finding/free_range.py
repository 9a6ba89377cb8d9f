"""How many resources of each type are free on each of many days."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from holdfast.assigning.choose import Demand, candidate_sets, units_needed
from holdfast.assigning.preferences import Preferences
from holdfast.booking.finding.availability import asked_about
from holdfast.booking.finding.scan import Start, allowed, share, with_buffers_of_wholes
from holdfast.booking.rules.held_back import kept_bits
from holdfast.booking.rules.nights import is_closed, nights_allowed
from holdfast.booking.wanted import GUEST, Asker
from holdfast.claim.free_times import FreeTimes
from holdfast.claim.read_free_times import read_free_times
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.money import format_money
from holdfast.kernel.span import Span
from holdfast.place.opening.open_bits import aligned_bits, open_bits
from holdfast.place.opening.opened import hours_of, step_hours
from holdfast.place.opening.stay import minutes_of_nights
from holdfast.place.venue import Resource, Venue

RANGE_DAYS_MAX = 62
RESOURCES_AT_ONCE = 64
"""For how many resources the ledger is read in one statement."""


NOTHING: tuple[int, int | None] = (0, None)


class Count:
    """Counts, for many starts at once: a bit stands for a start, and `_planes` are the digits of its count."""

    def __init__(self) -> None:
        self._planes: list[int] = []

    def add(self, bits: int) -> None:
        """Adds one for each start whose bit is set."""
        place = 0
        while bits:
            if place == len(self._planes):
                self._planes.append(0)
            self._planes[place], bits = self._planes[place] ^ bits, self._planes[place] & bits
            place += 1

    def most(self, among: int) -> int:
        """Returns the largest count of any of these starts."""
        most = 0
        for place in reversed(range(len(self._planes))):
            if among & self._planes[place]:
                among &= self._planes[place]
                most |= 1 << place
        return most


@dataclass(slots=True)
class _Starts:
    """The starts that are asked about, of one length, in order, and what is known about them."""

    venue: Venue
    length: timedelta
    starts: Sequence[Start]
    times: list[datetime] = field(init=False)
    _open: dict[object, int] = field(default_factory=dict)
    _steps: dict[object, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.times = [each.span.start for each in self.starts]

    def by_day(self) -> dict[Hashable, int]:
        """Returns the bits of the starts of each day."""
        found: dict[Hashable, int] = {}
        for place, each in enumerate(self.starts):
            found[each.goal] = found.get(each.goal, 0) | 1 << place
        return found

    def counts(
        self, resource: Resource, times: Mapping[UUID, FreeTimes], party_size: int, kept: int = 0
    ) -> Iterator[int]:
        """Yields the starts for which the resource takes one booking, two bookings, and so on. `kept`: the starts for
        which it is held back for others."""
        bits = self._able(resource) & ~kept
        for count in range(1, _bookings_max(resource, party_size) + 1):
            for leaf in resource.claimed:
                units = count * units_needed(resource, leaf, party_size)
                bits &= times[leaf.id].starts(self.times, self.length, leaf=leaf, units=units)
            if not bits:
                return
            yield bits

    def _able(self, resource: Resource) -> int:
        bits = (1 << len(self.times)) - 1
        for own in hours_of((resource,)):
            if own not in self._open:
                self._open[own] = open_bits(self.venue, own, self.times, self.length)
            bits &= self._open[own]
        own = step_hours((resource,))
        if self.venue.has_own_hours and self.starts[0].slot_id is None:
            if own not in self._steps:
                self._steps[own] = aligned_bits(self.venue, own, self.times)
            bits &= self._steps[own]
        return bits


def _bookings_max(resource: Resource, party_size: int) -> int:
    if resource.leaves:
        return 1
    return resource.units // units_needed(resource, resource, party_size)


@dataclass(slots=True)
class _Type:
    """The resources of a type that seat the party."""

    slug: str | None
    resources: list[Resource]


async def free_by_day(
    tx: Tx,
    venue: Venue,
    *,
    days: Sequence[date],
    party_size: int,
    group: str | None = None,
    asker: Asker = GUEST,
) -> dict[str, Any]:
    """Returns for each of the days (at most RANGE_DAYS_MAX, in order) and each type how many bookings of its resources
    the asker could make for the party, in the form of the API. Resources that have no type are counted together.

    Where nights are sold, it is how many are free for the night that begins on that date. Elsewhere it is the largest
    number that is free at one start of the opening day, for the usual length. Raises InvalidRequest
    for an unknown type, Overloaded.
    """
    days, types = days[:RANGE_DAYS_MAX], _types(venue, party_size, group)
    sets = [(each,) for of in types for each in of.resources]
    minutes = None if venue.stay is None else minutes_of_nights(venue.stay, 1)
    about = {"party_size": party_size, "duration_minutes": minutes, "asker": asker}
    asked = await asked_about(tx, venue, sets, days, **about)
    asked = await allowed(tx, venue, sets, asked, party_size=party_size, asker=asker, any_stay=True)
    times = await _read(tx, venue, sets, asked)
    found: dict[tuple[Hashable, str | None], tuple[int, int | None]] = {}
    for starts in _by_length(venue, asked):
        for of in types:
            await _count(tx, venue, starts, of, times, party_size=party_size, asker=asker, found=found)
    items = [_item(venue, day, of.slug, *found.get((day, of.slug), NOTHING)) for day in days for of in types]
    return {"currency": venue.currency, "items": items}


def _types(venue: Venue, party_size: int, group: str | None) -> list[_Type]:
    active = sorted((each for each in venue.resources.values() if each.active), key=lambda each: each.order)
    if group is not None and all(each.group != group for each in active):
        candidate_sets(venue, Demand(party_size, (), Preferences(group=group)))  # raises InvalidRequest
    types = {each.group: _Type(each.group, []) for each in active if group in (None, each.group)}
    for each in active:
        if each.group in types and each.seats_min <= party_size <= each.seats_max:
            types[each.group].resources.append(each)
    return list(types.values())


async def _read(
    tx: Tx, venue: Venue, sets: Sequence[tuple[Resource, ...]], asked: Sequence[Start]
) -> dict[UUID, FreeTimes]:
    known: dict[UUID, FreeTimes] = {}
    if not asked:
        return known
    around = Span(min(each.span.start for each in asked), max(each.span.end for each in asked))
    around, slices = with_buffers_of_wholes(venue, around), Slices()
    leaves = list({leaf.id: leaf for (resource,) in sets for leaf in resource.claimed}.values())
    for first in range(0, len(leaves), RESOURCES_AT_ONCE):
        page = leaves[first : first + RESOURCES_AT_ONCE]
        known |= await read_free_times(tx, venue.tenant_id, page, around)
        await share(slices)
    return known


async def _count(
    tx: Tx,
    venue: Venue,
    starts: _Starts,
    of: _Type,
    times: Mapping[UUID, FreeTimes],
    *,
    party_size: int,
    asker: Asker,
    found: dict[tuple[Hashable, str | None], tuple[int, int | None]],
) -> None:
    """Adds to `found`, by day and type, the largest number of bookings of any of these starts, and the lowest price."""
    count, slices, free = Count(), Slices(), dict[object, tuple[Resource, int]]()
    keeps = bool(venue.policy.held_back)
    for each in of.resources:
        kept = kept_bits(venue, asker, each, starts.times, now=tx.now) if keeps else 0
        for bits in starts.counts(each, times, party_size, kept):
            count.add(bits)
            like = _priced_like(each)
            free[like] = each, free.get(like, (each, 0))[1] | bits
        await share(slices)
    for day, bits in starts.by_day().items():
        before, lowest = found.get((day, of.slug), NOTHING)
        prices = [] if lowest is None else [lowest]
        for resource, at in free.values():
            prices += _prices(tx, venue, starts, resource, at & bits, party_size)
            await share(slices)
        found[day, of.slug] = max(before, count.most(bits)), min(prices, default=None)


def _priced_like(resource: Resource) -> object:
    """Resources with the same value have the same prices."""
    attributes = tuple(sorted((name, repr(value)) for name, value in resource.attributes.items()))
    return resource.kind, resource.zone, resource.group, resource.takes, attributes


def _prices(
    tx: Tx, venue: Venue, starts: _Starts, resource: Resource, bits: int, party_size: int
) -> Iterator[int]:
    while bits:
        start = starts.starts[(bits & -bits).bit_length() - 1]
        bits &= bits - 1
        try:
            quote = tx.ports.pricing.quote(
                venue=venue,
                resources=[resource],
                span=start.span,
                party_size=party_size,
                slot_id=start.slot_id,
                now=tx.now,
            )
        except InvalidRequest:
            continue  # out of range
        yield quote.total_minor


def _by_length(venue: Venue, asked: Sequence[Start]) -> Iterator[_Starts]:
    groups: dict[tuple[timedelta, bool], list[Start]] = {}
    for each in sorted(asked, key=lambda each: each.span):
        groups.setdefault((each.span.duration, each.slot_id is not None), []).append(each)
    for (length, _), starts in groups.items():
        yield _Starts(venue, length, starts)


def _item(venue: Venue, day: date, group: str | None, free: int, lowest: int | None) -> dict[str, Any]:
    sold_by_night = venue.stay is not None
    return {
        "date": day.isoformat(),
        "group": group,
        "free": free,
        "price_from": None if lowest is None else format_money(lowest, venue.currency),
        "closed_to_arrival": sold_by_night and is_closed(venue, day, to="arrival"),
        "closed_to_departure": sold_by_night and is_closed(venue, day, to="departure"),
        "nights_min": nights_allowed(venue, day)[0] if sold_by_night else None,
    }
