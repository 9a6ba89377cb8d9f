"""What the routes of series have in common."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from fastapi import Request

from holdfast.kernel.errors import Overloaded
from holdfast.kernel.idempotency import Done, Keyed
from holdfast.place.routes.at_hand import engine_of
from holdfast.place.venue import Venue
from holdfast.series.find import find
from holdfast.series.model import SeriesDone
from holdfast.series.refused import SeriesRefused, suggest_all


async def done_once(
    request: Request, venue: Venue, verb: Any, *args: Any, key: Keyed | None, **kwargs: Any
) -> Done[SeriesDone]:
    """What the verb did under the venue's lock; a refusal comes with suggestions, found after it is gone."""
    engine, asker = engine_of(request), request.state
    kwargs |= {"key": key, "show": lambda done, _: done.as_json(), "traceparent": asker.traceparent}
    try:
        return await engine.change_once(asker.actor, venue, verb, *args, **kwargs)
    except SeriesRefused as error:
        refused = error
    with suppress(Overloaded):  # the refusal is right without them
        await engine.suggestions.run(venue, suggest_all, refused.missed)
    raise refused.suggesting(venue)


async def venue_of(request: Request, series_id: UUID) -> Venue:
    """The venue of a series that the caller may see. Raises NotFound."""
    engine = engine_of(request)
    series, _ = await engine.read(request.state.actor, find, series_id)
    return await engine.places.venue(series.venue_id)
