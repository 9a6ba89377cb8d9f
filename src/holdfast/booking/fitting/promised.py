"""Which bookings of a type that have no resource yet are more than the resources of the type can take. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple

from holdfast.booking.fitting.reasons import Wrong, not_available
from holdfast.booking.fitting.standing import Standing
from holdfast.claim.model import claimed_span
from holdfast.kernel.span import Span
from holdfast.place.opening.spans import DAY_MINUTES
from holdfast.place.venue import Resource, Venue

BUFFERS_MAX = timedelta(minutes=2 * DAY_MINUTES)


class _There(NamedTuple):
    """A booking that takes one resource of the type, buffers included."""

    span: Span
    booked: Standing


class Promised:
    """The bookings on the resources of each type, and those promised one, around the present one. They come in order
    of their start."""

    def __init__(self, venue: Venue, groups: Collection[str]) -> None:
        """`groups`: the types to look at."""
        self._pools = {group: _in_use(venue, group) for group in groups}
        self._groups = {each.id: group for group, pool in self._pools.items() for each in pool}
        self._there: dict[str, list[_There]] = {group: [] for group in groups}

    def add(self, booked: Standing) -> Iterator[tuple[Standing, Wrong]]:
        """Adds the booking; yields the promises that can't be kept together with it. One may come more than once."""
        if booked.is_promised:
            groups = [booked.group] if booked.group in self._pools else []
        else:
            groups = [self._groups[each] for each in booked.resource_ids if each in self._groups]
        for group in groups:
            if group is not None and self._pools[group]:
                yield from self._add_to(group, booked)

    def _add_to(self, group: str, booked: Standing) -> Iterator[tuple[Standing, Wrong]]:
        pool = self._pools[group]
        new = _There(claimed_span(pool[0], booked.span), booked)
        there = [each for each in self._there[group] if each.span.end > booked.span.start - BUFFERS_MAX]
        self._there[group] = [*there, new]
        at_once: list[_There] = []
        for each in sorted([each for each in there if each.span.overlaps(new.span)] + [new]):
            at_once = [other for other in at_once if other.span.end > each.span.start] + [each]
            if len(at_once) > len(pool):
                wrong = Wrong(not_available(pool[0]), lambda: _too_few(group, len(pool)))
                yield from ((other.booked, wrong) for other in at_once if other.booked.is_promised)


def _in_use(venue: Venue, group: str) -> list[Resource]:
    return [each for each in venue.resources.values() if each.group == group and each.active]


def _too_few(group: str, count: int) -> str:
    there = "is one" if count == 1 else f"are {count}"
    return f"There {there} of the type {group}, fewer than are booked at that time. The booking keeps its promise."


def changed_groups(before: Venue, after: Venue) -> set[str]:
    """Returns the types that have other resources, or other buffers, than before. Of those that have none any more,
    no booking fits anyway."""
    old, new = _types(before), _types(after)
    return {group for group in old.keys() & new.keys() if old[group] != new[group]}


def _types(venue: Venue) -> Mapping[str, set[tuple[object, ...]]]:
    found: dict[str, set[tuple[object, ...]]] = {}
    for each in venue.resources.values():
        if each.group is not None and each.active:
            room = each.id, each.buffer_before_minutes, each.buffer_after_minutes
            found.setdefault(each.group, set()).add(room)
    return found
