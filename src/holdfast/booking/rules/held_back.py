"""What is held back from whoever asks, at the time of a visit. Pure; asked only at venues that hold something back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from holdfast.assigning.choose import distinct
from holdfast.booking.said import Asker
from holdfast.booking.wanted import Prepared
from holdfast.place.policies.withhold import Ahead, held_back, kept_from
from holdfast.place.venue import Resource, Venue

Sets = tuple[tuple[Resource, ...], ...]


def _kept(venue: Venue, asker: Asker) -> Mapping[UUID, Ahead]:
    if asker.is_staff:
        return {}
    found = kept_from(venue, frozenset({asker.source, *asker.groups}))
    if not asker.own:
        return found
    own = {leaf.id for id_ in asker.own if id_ in venue.resources for leaf in venue.resources[id_].claimed}
    return {id_: each for id_, each in found.items() if id_ not in own}


def is_kept(venue: Venue, asker: Asker, resource: Resource, start: datetime, *, now: datetime) -> bool:
    """Returns whether the resource is held back, for others, for a visit that starts then and is asked for now."""
    return free_at(venue, asker, resource, start, now=now) is not None


def free_at(
    venue: Venue, asker: Asker, resource: Resource, start: datetime, *, now: datetime
) -> datetime | None:
    """Returns from when on whoever asks may book the resource for a visit that starts then; None if they may now."""
    kept = _kept(venue, asker)
    ahead = (kept[leaf.id] for leaf in resource.claimed if leaf.id in kept)
    return max((start - each.over for each in ahead if each.holds(start, now)), default=None)


def kept_in(prepared: Prepared, *, now: datetime) -> Iterator[tuple[Resource, datetime]]:
    """Yields the resources that would do but are held back for others, each with when they no longer are."""
    for resource in distinct(prepared.sets):
        until = free_at(prepared.venue, prepared.wanted.asker, resource, prepared.span.start, now=now)
        if until is not None:
            yield resource, until


def kept_bits(
    venue: Venue, asker: Asker, resource: Resource, times: Sequence[datetime], *, now: datetime
) -> int:
    """Returns a bit for each time, the lowest for the first: set where `is_kept` is true of a visit that starts then.
    `times`: in order."""
    kept, found = _kept(venue, asker), 0
    for leaf in resource.claimed:
        if leaf.id in kept:
            found |= kept[leaf.id].bits(times, now)
    return found


def open_to(prepared: Prepared, sets: Sequence[tuple[Resource, ...]], *, now: datetime) -> Sets:
    """Returns the sets in which nothing is held back from the one who makes the request, at its time."""
    return open_at(prepared.venue, prepared.wanted.asker, sets, prepared.span.start, now=now)


def open_at(
    venue: Venue, asker: Asker, sets: Sequence[tuple[Resource, ...]], start: datetime, *, now: datetime
) -> Sets:
    """Returns the sets in which nothing is held back from whoever asks, for a visit that starts then."""
    kept = {id_ for id_, each in _kept(venue, asker).items() if each.holds(start, now)}
    if not kept:
        return tuple(sets)
    return tuple(resources for resources in sets if not _touches(resources, kept))


def in_order(venue: Venue, asker: Asker, sets: Sets) -> Sets:
    """Returns the sets, which are best first, in the order in which the house gives them to whoever asks.

    What is held back for them comes first among single resources of one size, so that they leave the others to others.
    Everybody else gets what is held back last.
    """
    held, names = held_back(venue), {asker.source, *asker.groups}
    own = {id_ for id_, rules in held.items() if any(each.for_ in names for each in rules)}
    others = held.keys() - own
    last = [resources for resources in sets if _touches(resources, others)]
    first = [resources for resources in sets if not _touches(resources, others)] if last else [*sets]
    if own:
        singles = [each for each in first if len(each) == 1]
        singles.sort(key=lambda each: (each[0].seats_max, not _touches(each, own)))
        first = [*singles, *(each for each in first if len(each) > 1)]
    return (*first, *last)


def _touches(resources: Sequence[Resource], leaves: Collection[UUID]) -> bool:
    return any(leaf.id in leaves for each in resources for leaf in each.claimed)
