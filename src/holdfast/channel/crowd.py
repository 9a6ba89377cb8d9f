"""Which bookings of a slot the bounds on arrivals leave no room for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

from holdfast.channel.closed import SLOTS_CACHED_MAX, Begin, OfVenue, guests_begin_in, smallest_party
from holdfast.channel.slots import DatedSlot
from holdfast.kernel.span import Span
from holdfast.pacing.arrived import Arrived
from holdfast.pacing.limits import Limit, is_paced, limits
from holdfast.place.policies.withhold import PUBLIC
from holdfast.place.venue import Venue

Full = frozenset[tuple[Begin, int]]
"""When no party of guests of that size may arrive any more, by whichever source that everybody can use."""
NOT_FULL: Full = frozenset()


def full_in(venue: Venue, slot: DatedSlot, arrived: Arrived) -> Full:
    """Returns for which of the slot's bookings there is no room, each for the smallest party of a resource."""
    if not is_paced(venue):
        return NOT_FULL
    return frozenset(
        (begin, party_size)
        for (begin, party_size), ways in _limits_in(OfVenue.of(venue, slot)).items()
        if all(_is_full(arrived, each, party_size) for each in ways)
    )


def around(venue: Venue, slot: DatedSlot) -> Span | None:
    """Returns the time from the first to the last begin in the slot; None if there is none."""
    at = [begin.at for begin, _ in _limits_in(OfVenue.of(venue, slot))]
    return Span(min(at), max(at)) if at else None


def _is_full(arrived: Arrived, bounds: Collection[Limit], party_size: int) -> bool:
    return any(arrived.room(each, party_size) <= 0 for each in bounds)


@lru_cache(maxsize=SLOTS_CACHED_MAX)
def _limits_in(key: OfVenue) -> Mapping[tuple[Begin, int], Collection[Collection[Limit]]]:
    """For each booking, the bounds on it by each of the sources."""
    venue = key.venue
    begins = guests_begin_in(venue, key.slot)
    asked = {(begin, smallest_party(venue.resources[id_])) for id_, of in begins.items() for begin in of}
    known = {begin: _ways(venue, begin) for begin in {begin for begin, _ in asked}}
    return {each: known[each[0]] for each in asked}


def _ways(venue: Venue, begin: Begin) -> Collection[Collection[Limit]]:
    found: list[Collection[Limit]] = []
    for source in sorted(PUBLIC):
        bounds = limits(venue, begin.at, begin.slot_id, source)
        found += [bounds] if bounds not in found else []
    return found
