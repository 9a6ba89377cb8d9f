"""GET of series."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from holdfast.booking.routes.parts import require_staff, venue_for
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.http import LIMIT_DEFAULT, Cursor, Limit, answer
from holdfast.place.routes.at_hand import engine_of
from holdfast.series import model, shown, store
from holdfast.series.find import find

router = APIRouter()

NIL = UUID(int=0)
VenueId = Annotated[UUID, Query(description="The venue.")]


@router.get("/series", summary="List the series of a venue", responses={200: shown.PAGE})
async def get_of_venue(
    request: Request, venue_id: VenueId, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Response:
    """All series of a venue, the oldest first. Staff only."""
    venue = await venue_for(request, venue_id)
    require_staff(request.state.actor, venue)
    found = await engine_of(request).read(
        request.state.actor,
        store.of_venue,
        tenant_id=venue.tenant_id,
        venue_id=venue.id,
        after=_place(cursor),
        limit=limit + 1,
    )
    following = str(found[limit - 1].id) if len(found) > limit else None
    return answer({"items": [model.listed_json(each) for each in found[:limit]], "next": following})


@router.get("/series/{series_id}", summary="Read a series", responses={200: shown.SERIES})
async def get_series(request: Request, series_id: UUID) -> Response:
    """A series with its bookings as they are now. Guests see their own."""
    series, members = await engine_of(request).read(request.state.actor, find, series_id)
    return answer(model.as_json(series, members), version=series.version)


def _place(cursor: str | None) -> UUID:
    try:
        return NIL if cursor is None else UUID(cursor)
    except ValueError as error:
        raise InvalidRequest.of("cursor", cursor, "give the `next` of the page before") from error
