"""What would come of a series, occurrence by occurrence; nothing is written."""

from __future__ import annotations

from typing import Any

from holdfast.booking.decide import Created, Refused
from holdfast.engine import Read
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.series.decide import Basis, basis, decide_all
from holdfast.series.expand import Asked, Planned, expand
from holdfast.series.refused import Missed, occurrence_json, suggest_all


async def preview(read: Read, asked: Asked, *, venue: Venue, places: Places) -> list[dict[str, Any]]:
    """An `OccurrenceShown` for each: on what it would be booked, or what is in its way and what is free
    instead. Raises what makes the series as a whole impossible."""
    by: Basis = await read(basis, venue, places)
    planned = expand(asked, by.venue, now=by.now).planned
    found = list(zip(planned, await decide_all(read, planned, by), strict=True))
    missed = [Missed(at.on, at.span, each.error) for at, each in found if isinstance(each, Refused)]
    await suggest_all(read, missed, by.venue)
    return [_shown(at, each, by.venue) for at, each in found]


def _shown(planned: Planned, result: Created | Refused, venue: Venue) -> dict[str, Any]:
    if isinstance(result, Refused):
        return occurrence_json(planned.on, planned.span, venue, error=result.error)
    booking = result.booking
    return occurrence_json(planned.on, booking.span, venue, resource_ids=booking.resource_ids)
