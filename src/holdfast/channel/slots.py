"""The slots of which the live picture is made. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from holdfast.channel import names
from holdfast.kernel.span import Span
from holdfast.place.opening.nights import shortest
from holdfast.place.opening.slot import DAY_SLOT_ID, running_on, slot_span
from holdfast.place.opening.stay import span_of
from holdfast.place.venue import Venue, VenueKey

DAYS_KEPT_MAX = 8192


@dataclass(frozen=True, slots=True)
class DatedSlot:
    """A slot of one opening day: its channel and its span.

    `stay`: at a venue that sells nights, the shortest stay for which guests may arrive in it; None if there is none.
    """

    channel: str
    day: date
    id: str
    span: Span
    stay: Span | None = None

    @property
    def asked(self) -> Span:
        """What has to be free for guests who come when the slot begins: mostly the slot, or all of the stay."""
        return self.stay or self.span


def slots_of_day(venue: Venue, day: date) -> tuple[DatedSlot, ...]:
    """Returns the slots of an opening day, also when the venue is closed that day: bookings made before the day was
    closed still have to be shown."""
    return _slots_of_day(VenueKey.of(venue), day)


@lru_cache(maxsize=DAYS_KEPT_MAX)
def _slots_of_day(key: VenueKey, day: date) -> tuple[DatedSlot, ...]:
    venue = key.venue
    ids = [each.id for each in running_on(venue, day)] if venue.slots else [DAY_SLOT_ID]
    stay = _stay(venue, day)
    return tuple(
        DatedSlot(names.availability(day, id_), day, id_, slot_span(venue, day, id_), stay) for id_ in ids
    )


def _stay(venue: Venue, day: date) -> Span | None:
    nights = None if venue.stay is None else shortest(venue, day)
    return None if venue.stay is None or nights is None else span_of(venue.stay, nights, venue.tz)
