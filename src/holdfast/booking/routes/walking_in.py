"""POST /walk-ins."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator

from holdfast.booking.routes.creating import submit, wanted_booking
from holdfast.booking.routes.parts import own_venue
from holdfast.booking.routes.requests import PARTY_MAX, BookedBody
from holdfast.booking.routes.shown import BOOKING
from holdfast.kernel.http import json_body
from holdfast.place.routes.at_hand import AskedChange

router = APIRouter()


class WalkIn(BookedBody):
    """A party without a booking, to be seated now."""

    venue_id: UUID
    party_size: int = Field(ge=1, le=PARTY_MAX)

    @model_validator(mode="after")
    def _starts_now(self) -> WalkIn:
        if self.names_a_start and self.arrival is None:
            raise ValueError("a walk-in starts now: omit the start, or make a booking")
        return self


@router.post(
    "/walk-ins",
    operation_id="create_walk_in",
    summary="Seat a party now",
    responses={201: BOOKING},
    status_code=201,
)
async def post_walk_in(
    request: Request, body: Annotated[WalkIn, json_body(WalkIn)], asked: AskedChange
) -> Response:
    """Seat a party now, for the usual time or until closing. Staff only."""
    venue = await own_venue(asked.engine, asked.actor, body.venue_id)
    wanted = wanted_booking(
        request,
        asked,
        body,
        venue,
        when=body.when(),
        party_size=body.party_size,
        walk_in=True,
        source="walk_in",
        is_asked=True,
    )
    return await submit(request, asked.engine, wanted)
