"""POST /series/preview and /series."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response

from holdfast.booking.metrics import WANTED, count_created
from holdfast.booking.routes.creating import guest_of
from holdfast.booking.routes.parts import idempotency_key, keyed, show_reply, venue_for
from holdfast.booking.wanted import Wanted
from holdfast.kernel.actor import Actor
from holdfast.kernel.body import parse, takes
from holdfast.kernel.errors import Forbidden, Unauthenticated
from holdfast.kernel.http import answer
from holdfast.kernel.ids import new_id
from holdfast.place import parse_rrule
from holdfast.place.routes.at_hand import engine_of
from holdfast.place.venue import Venue
from holdfast.series import shown
from holdfast.series.create import create_series
from holdfast.series.expand import Asked
from holdfast.series.plan import plan_series
from holdfast.series.preview import preview
from holdfast.series.refused import SeriesRefused
from holdfast.series.requests import CreateSeries
from holdfast.series.routes.parts import show, suggesting

router = APIRouter()


@router.post(
    "/series/preview",
    summary="See what a series would get",
    openapi_extra=takes(CreateSeries),
    responses={200: shown.PREVIEW},
)
async def post_preview(request: Request) -> Response:
    """What would come of each occurrence: where it would be, or what is in its way. Nothing is kept."""
    asked = parse(await request.body(), CreateSeries)
    idempotency_key(request, asked.idempotency_key)  # not used, but refused where the request itself would be
    venue = await venue_for(request, asked.venue_id)
    engine, wanted = engine_of(request), _asked(request, asked, venue)
    look = partial(preview, asked=wanted, venue=venue, places=engine.places)
    found = await engine.plan(request.state.actor, venue, look)
    return answer({"occurrences": found, "free": sum(each["free"] for each in found)})


@router.post(
    "/series",
    summary="Book a series",
    openapi_extra=takes(CreateSeries),
    responses={201: shown.CREATED},
    status_code=201,
)
async def post_series(request: Request) -> Response:
    """Book a whole series at once: all of it, or as `on_conflict` says."""
    raw = await request.body()
    asked = parse(raw, CreateSeries)
    venue = await venue_for(request, asked.venue_id)
    engine, wanted = engine_of(request), _asked(request, asked, venue)
    key = keyed(
        request,
        raw,
        venue=venue,
        operation="series_create",
        field=asked.idempotency_key,
        about=request.scope["path"],
    )
    plan = partial(
        plan_series, asked=wanted, on_conflict=asked.on_conflict, venue=venue, places=engine.places
    )
    change = engine.change_planned(
        request.state.actor,
        venue,
        plan,
        create_series,
        key=key,
        show=show,
        traceparent=request.state.traceparent,
    )
    try:
        done = await suggesting(request, venue, change)
    except SeriesRefused as error:
        WANTED.labels(error.code).inc(len(error.missed))
        raise
    for booking in () if done.value is None else done.value.bookings:
        count_created(booking)
    return show_reply(done.reply, status=201)


def _asked(request: Request, asked: CreateSeries, venue: Venue) -> Asked:
    actor: Actor = request.state.actor
    if actor.kind == "anonymous":
        raise Unauthenticated("A series is booked by somebody who can come back to it: sign in.")
    if asked.internal_notes is not None and not actor.is_staff:
        raise Forbidden("Internal notes are for staff.", needed_roles=["staff"])
    first = Wanted(
        id=new_id(),
        tenant_id=venue.tenant_id,
        venue_id=venue.id,
        actor=actor,
        when=asked.when(),
        party_size=asked.party_size,
        resource_ids=asked.resource_ids or (),
        preferences=asked.preferred(),
        guest=guest_of(actor, asked.guest()),
        special_requests=asked.special_requests,
        internal_notes=asked.internal_notes,
        source=asked.source,
        metadata=asked.metadata,
        traceparent=request.state.traceparent,
    )
    return Asked(first=first, recurrence=parse_rrule.parse(asked.rrule))
