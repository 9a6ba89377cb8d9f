"""What the routes of series have in common."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

from fastapi import Request

from holdfast.kernel.errors import Overloaded
from holdfast.kernel.idempotency import Done
from holdfast.place.routes.at_hand import engine_of
from holdfast.place.venue import Venue
from holdfast.series.find import find
from holdfast.series.model import SeriesDone
from holdfast.series.refused import SeriesRefused, suggest_all


def show(done: SeriesDone, _venue: Venue) -> dict[str, Any]:
    """The reply's JSON."""
    return done.as_json()


async def suggesting(request: Request, venue: Venue, change: Awaitable[Done[SeriesDone]]) -> Done[SeriesDone]:
    """What comes of the change; a refusal comes with suggestions, found when nothing is held any more."""
    try:
        return await change
    except SeriesRefused as error:
        refused = error
    with suppress(Overloaded):  # the refusal is right without them
        await suggest_all(partial(engine_of(request).suggestions.run, venue), refused.missed, venue)
    raise refused.suggesting(venue)


async def venue_of(request: Request, series_id: UUID) -> Venue:
    """The venue of a series that the caller may see. Raises NotFound."""
    engine = engine_of(request)
    series, _ = await engine.read(request.state.actor, find, series_id)
    return await engine.places.venue(series.venue_id)
