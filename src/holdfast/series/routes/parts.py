"""What the routes of series have in common."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from fastapi import Request

from holdfast.booking.routes.parts import locked_call, places_of
from holdfast.kernel.db import Database
from holdfast.kernel.errors import Overloaded
from holdfast.place.venue import Venue
from holdfast.series.find import find
from holdfast.series.model import Done
from holdfast.series.refused import SeriesRefused, suggest_all


def db_of(request: Request) -> Database:
    return request.app.state.db


async def locked(request: Request, venue: Venue, verb: Any, *args: Any, **kwargs: Any) -> Done:
    """What the verb did under the venue's lock; a refusal comes with suggestions, found after it is gone."""
    async with request.app.state.turns.of(venue.id):
        try:
            return await locked_call(request, venue).run(
                verb, *args, venue=venue, places=places_of(request), **kwargs
            )
        except SeriesRefused as error:
            refused = error
    with suppress(Overloaded):  # the refusal is right without them
        await request.app.state.suggestions.run(venue, suggest_all, refused.missed)
    raise refused.suggesting(venue)


async def venue_of(request: Request, series_id: UUID) -> Venue:
    """The venue of a series that the caller may see. Raises NotFound."""
    series, _ = await db_of(request).run(request.state.actor, find, series_id)
    return await places_of(request).venue(series.venue_id)


def forgotten(request: Request, done: Done) -> Done:
    """The same; what this process remembers of the bookings is forgotten."""
    for booking in done.bookings:
        request.app.state.by_reference.forget(booking)
    return done
