"""How many resources of each type are free on each of many days."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from holdfast.assigning.choose import Demand, candidate_sets
from holdfast.assigning.preferences import Preferences
from holdfast.booking.finding.availability import asked_about
from holdfast.booking.finding.count import Count, Starts
from holdfast.booking.finding.look import with_buffers_of_wholes
from holdfast.booking.finding.promised import most_promised
from holdfast.booking.finding.scan import Start, allowed, share
from holdfast.booking.rules.held_back import in_order, kept_bits
from holdfast.booking.said import GUEST, Asker
from holdfast.claim.free_times import FreeTimes
from holdfast.claim.read_free_times import read_free_times
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.money import format_money
from holdfast.kernel.span import Span
from holdfast.pacing.arrived import Arrived
from holdfast.pacing.store import read_arrived
from holdfast.place.opening.nights import is_closed, nights_allowed
from holdfast.place.opening.stay import minutes_of_nights
from holdfast.place.venue import Resource, Venue

RANGE_DAYS_MAX = 62
RESOURCES_AT_ONCE = 64
"""For how many resources the ledger is read in one statement."""


NOTHING: tuple[int, int | None] = (0, None)


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
    the asker could make for the party, in the form of the API. Resources that have no type are counted together. Of
    resources that share parts, those count that are booked first.

    Where nights are sold, it is how many are free for the night that begins on that date. Elsewhere it is the largest
    number that is free at one start of the opening day, for the usual length. Raises InvalidRequest
    for an unknown type, Overloaded.
    """
    days, types = days[:RANGE_DAYS_MAX], _types(venue, party_size, group, asker)
    sets = [(each,) for of in types for each in of.resources]
    minutes = None if venue.stay is None else minutes_of_nights(venue.stay, 1)
    about = {"party_size": party_size, "duration_minutes": minutes, "asker": asker}
    asked = await asked_about(tx, venue, sets, days, **about)
    asked = await allowed(tx, venue, sets, asked, party_size=party_size, asker=asker, any_stay=True)
    counted = await _read(tx, venue, sets, asked, party_size=party_size, asker=asker)
    for starts in _by_length(venue, asked):
        for of in types:
            await counted.count(starts, of)
    for of in types if venue.policy.bind_group != "at_once" else ():
        await counted.promise(asked, of)
    items = [_item(venue, day, of.slug, *counted.of(day, of)) for day in days for of in types]
    return {"currency": venue.currency, "items": items}


def _types(venue: Venue, party_size: int, group: str | None, asker: Asker) -> list[_Type]:
    active = sorted((each for each in venue.resources.values() if each.active), key=lambda each: each.order)
    if group is not None and all(each.group != group for each in active):
        candidate_sets(venue, Demand(party_size, (), Preferences(group=group)))  # raises InvalidRequest
    types = {each.group: _Type(each.group, []) for each in active if group in (None, each.group)}
    for each in active:
        if each.group in types and each.seats_min <= party_size <= each.seats_max:
            types[each.group].resources.append(each)
    for of in types.values():  # in the order in which they are booked
        of.resources.sort(key=lambda each: (each.seats_max, each.order))
        if venue.policy.held_back:
            sets = in_order(venue, asker, tuple((each,) for each in of.resources))
            of.resources = [each for (each,) in sets]
    return list(types.values())


async def _read(
    tx: Tx,
    venue: Venue,
    sets: Sequence[tuple[Resource, ...]],
    asked: Sequence[Start],
    *,
    party_size: int,
    asker: Asker,
) -> _Counted:
    known: dict[UUID, FreeTimes] = {}
    if not asked:
        return _Counted(tx, venue, party_size, asker, known, Arrived())
    around = Span(min(each.span.start for each in asked), max(each.span.end for each in asked))
    arrived = await read_arrived(tx, venue, around)
    around, slices = with_buffers_of_wholes(venue, around), Slices()
    leaves = list({leaf.id: leaf for (resource,) in sets for leaf in resource.claimed}.values())
    for first in range(0, len(leaves), RESOURCES_AT_ONCE):
        page = leaves[first : first + RESOURCES_AT_ONCE]
        known |= await read_free_times(tx, venue.tenant_id, page, around)
        await share(slices)
    return _Counted(tx, venue, party_size, asker, known, arrived)


@dataclass(slots=True)
class _Counted:
    """What is free, by day and type: the largest number of bookings of any start, and the lowest price."""

    tx: Tx
    venue: Venue
    party_size: int
    asker: Asker
    times: Mapping[UUID, FreeTimes]
    arrived: Arrived
    found: dict[tuple[Hashable, str | None], tuple[int, int | None]] = field(default_factory=dict)

    def of(self, day: Hashable, of: _Type) -> tuple[int, int | None]:
        return self.found.get((day, of.slug), NOTHING)

    async def count(self, starts: Starts, of: _Type) -> None:
        """Counts what is free of the type at these starts."""
        count, slices, free = Count(), Slices(), dict[object, tuple[Resource, int]]()
        keeps = bool(self.venue.policy.held_back)
        starts.forget()
        for each in of.resources:
            kept = kept_bits(self.venue, self.asker, each, starts.times, now=self.tx.now) if keeps else 0
            for bits in starts.counts(each, self.times, self.party_size, kept):
                count.add(bits)
                like = _priced_like(each)
                free[like] = each, free.get(like, (each, 0))[1] | bits
            await share(slices)
        left = starts.by_bound(self._parties_left)
        for day, bits in starts.by_day().items():
            most = max(
                min(count.most(bits & at), sys.maxsize if bound is None else bound) for bound, at in left
            )
            prices = list[int]()
            for resource, at in free.values():
                prices += _prices(self.tx, self.venue, starts.starts, resource, at & bits, self.party_size)
                await share(slices)
            self._add(day, of, most, prices)

    async def promise(self, asked: Sequence[Start], of: _Type) -> None:
        """Counts what can be promised of a type that is bound late, as far as more than is free."""
        if of.slug is None or not of.resources or not asked:
            return
        sets = [(each,) for each in of.resources]
        async for start, many in most_promised(
            self.tx, self.venue, sets, asked, asker=self.asker, than=lambda day: self.of(day, of)[0]
        ):
            bound = self._parties_left(start)
            prices = _prices(self.tx, self.venue, [start], of.resources[0], 1, self.party_size)
            self._add(start.goal, of, many if bound is None else min(many, bound), prices)

    def _add(self, day: Hashable, of: _Type, many: int, prices: Iterable[int]) -> None:
        before, lowest = self.of(day, of)
        known = [] if lowest is None else [lowest]
        self.found[day, of.slug] = max(before, many), min([*known, *prices], default=None)

    def _parties_left(self, start: Start) -> int | None:
        return self.arrived.parties_left(
            self.venue,
            start.span.start,
            slot_id=start.slot_id,
            source=self.asker.source,
            party_size=self.party_size,
        )


def _priced_like(resource: Resource) -> object:
    """Resources with the same value have the same prices."""
    attributes = tuple(sorted((name, repr(value)) for name, value in resource.attributes.items()))
    return resource.kind, resource.zone, resource.group, resource.takes, attributes


def _prices(
    tx: Tx, venue: Venue, starts: Sequence[Start], resource: Resource, bits: int, party_size: int
) -> Iterator[int]:
    while bits:
        start = starts[(bits & -bits).bit_length() - 1]
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


def _by_length(venue: Venue, asked: Sequence[Start]) -> Iterator[Starts]:
    groups: dict[tuple[timedelta, bool], list[Start]] = {}
    for each in sorted(asked, key=lambda each: each.span):
        groups.setdefault((each.span.duration, each.slot_id is not None), []).append(each)
    for (length, _), starts in groups.items():
        yield Starts(venue, length, starts)


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
