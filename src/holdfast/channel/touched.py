"""Which slots the ledger's claims touch. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from uuid import UUID

from holdfast.channel import names
from holdfast.channel.state import window_of
from holdfast.claim.model import Claim
from holdfast.kernel.span import Span
from holdfast.place import hours
from holdfast.place.opening import DAYS
from holdfast.place.slot import DAY_SLOT_ID, slot_span
from holdfast.place.venue import Resource, Venue

DAYS_KEPT_MAX = 8192
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot of one opening day: the channel it is told on, and when it is."""

    channel: str
    day: date
    id: str
    span: Span


class _Rules:
    """A venue at one version of its rules: what was worked out of it is kept by that."""

    __slots__ = ("key", "venue")

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.key = (venue.id, venue.rules_version)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Rules) and self.key == other.key


def slots_of_day(venue: Venue, day: date) -> tuple[Slot, ...]:
    """The slots of an opening day, on a day on which the venue is closed too: what was booked there
    before it was closed is still shown."""
    return _slots_of_day(_Rules(venue), day)


@lru_cache(maxsize=DAYS_KEPT_MAX)
def _slots_of_day(rules: _Rules, day: date) -> tuple[Slot, ...]:
    venue = rules.venue
    ids = (
        [each.id for each in venue.slots if DAYS[day.weekday()] in each.days]
        if venue.slots
        else [DAY_SLOT_ID]
    )
    return tuple(Slot(names.availability(day, id_), day, id_, slot_span(venue, day, id_)) for id_ in ids)


def touched(venue: Venue, claims: Iterable[Claim]) -> dict[Slot, dict[UUID, Resource]]:
    """The slots that the claims share time with, and on which resources."""
    found: dict[Slot, dict[UUID, Resource]] = {}
    seen: set[tuple[UUID, Span]] = set()
    for claim in claims:
        resource = venue.resources.get(claim.resource_id)
        if resource is None or (resource.id, claim.span) in seen:
            continue
        seen.add((resource.id, claim.span))
        for slot in _slots_around(venue, resource, claim.span):
            found.setdefault(slot, {})[resource.id] = resource
    return found


def _slots_around(venue: Venue, resource: Resource, span: Span) -> Iterator[Slot]:
    """Slots whose window on the resource overlaps the span. One lasts a day at most, so the days before count."""
    first = (
        hours.to_wall(span.start - timedelta(minutes=resource.buffer_after_minutes), venue.tz).date() - _DAY
    )
    last = hours.to_wall(span.end + timedelta(minutes=resource.buffer_before_minutes), venue.tz).date()
    for number in range((last - first).days + 1):
        for slot in slots_of_day(venue, first + number * _DAY):
            if window_of(resource, slot.span).overlaps(span):
                yield slot
