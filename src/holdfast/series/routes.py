"""Series over HTTP: preview, create, read, change, cancel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from holdfast.booking.access import require_staff
from holdfast.booking.deciding.wanted import Wanted
from holdfast.booking.metrics import MOVED, WANTED, count_created
from holdfast.booking.routes.creating import guest_of
from holdfast.booking.routes.parts import (
    check_source,
    idempotency_key,
    keyed,
    show_reply,
    venue_for,
)
from holdfast.booking.states import Status
from holdfast.kernel.body import parse, takes
from holdfast.kernel.db.deadline import request_deadline
from holdfast.kernel.errors import Forbidden, InvalidRequest, Overloaded, Unauthenticated
from holdfast.kernel.http import LIMIT_DEFAULT, Cursor, Limit, answer, if_match, required_version
from holdfast.kernel.idempotency import Done, Keyed
from holdfast.kernel.ids import new_id
from holdfast.place.opening import parse_rrule
from holdfast.place.routes.at_hand import engine_of
from holdfast.place.venue import Venue
from holdfast.series import model, shown, store
from holdfast.series.change import SeriesCancellation, SeriesChange, cancel_series, change_series, plan_change
from holdfast.series.create import create_series
from holdfast.series.decide import preview
from holdfast.series.expand import Asked
from holdfast.series.find import find
from holdfast.series.model import SeriesDone
from holdfast.series.plan import plan_series
from holdfast.series.refused import SeriesRefused, suggest_all
from holdfast.series.requests import CancelSeries, ChangeSeries, CreateSeries

VenueId = Annotated[UUID, Query(description="The venue.")]

router = APIRouter(tags=["Series"])


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
    found = await engine.plan(request.state.actor, venue, look, is_preview=True)
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
    plan = partial(plan_series, asked=_asked(request, asked, venue), on_conflict=asked.on_conflict)
    about = request.scope["path"]
    key = keyed(
        request, raw, venue=venue, operation="series_create", field=asked.idempotency_key, about=about
    )
    try:
        done = await _change(request, venue, plan, create_series, key)
    except SeriesRefused as error:
        WANTED.labels(error.code).inc(len(error.missed))
        raise
    for booking in () if done.value is None else done.value.bookings:
        count_created(booking)
    return show_reply(done.reply, status=201)


@router.get("/series", summary="List the series of a venue", responses={200: shown.PAGE})
async def get_of_venue(
    request: Request, venue_id: VenueId, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Response:
    """All series of a venue, the oldest first. Staff only."""
    venue = await venue_for(request, venue_id)
    require_staff(request.state.actor, venue)
    found = await engine_of(request).read(
        request.state.actor, store.of_venue, venue, after=_place(cursor), limit=limit + 1
    )
    following = str(found[limit - 1].id) if len(found) > limit else None
    return answer({"items": [model.listed_json(each) for each in found[:limit]], "next": following})


@router.get("/series/{series_id}", summary="Read a series", responses={200: shown.SERIES})
async def get_series(request: Request, series_id: UUID) -> Response:
    """A series with its bookings as they are now. Guests see their own."""
    series, members = await engine_of(request).read(request.state.actor, find, series_id)
    return answer(model.as_json(series, members), version=series.version)


@router.patch(
    "/series/{series_id}",
    summary="Change a series",
    openapi_extra=takes(ChangeSeries),
    responses={200: shown.CHANGED},
)
async def patch_series(request: Request, series_id: UUID) -> Response:
    """Change one booking of a series, it and those after it, or all that are still to come: all of them, or as
    `on_conflict` says. What is over stays as it is."""
    raw = await request.body()
    asked = parse(raw, ChangeSeries)
    version, venue = await _seen(request, series_id, asked.expected_version)
    actor, changes = request.state.actor, asked.changes
    if "internal_notes" in changes.model_fields_set and not actor.is_staff:
        raise Forbidden("Internal notes are for staff.", needed_roles=["staff"])
    wanted = SeriesChange(
        series_id=series_id,
        expected_version=version,
        scope=asked.scope,
        occurrence_on=asked.occurrence_on,
        on_conflict=asked.on_conflict,
        booking_time=changes.clock,
        duration_minutes=changes.duration_minutes,
        party_size=changes.party_size,
        resource_ids=changes.resource_ids,
        preferences=None if changes.preferences is None else changes.preferences.value(),
        guest=changes.said("name", "email", "phone", prefix="guest_"),
        details=changes.said("special_requests", "internal_notes"),
    )
    about = f"{series_id} {version}"
    key = keyed(
        request, raw, venue=venue, operation="series_update", field=asked.idempotency_key, about=about
    )
    plan = partial(plan_change, asked=wanted, actor=actor)
    return show_reply((await _change(request, venue, plan, change_series, key)).reply)


@router.post(
    "/series/{series_id}/cancel",
    summary="Cancel a series",
    openapi_extra=takes(CancelSeries),
    responses={200: shown.CHANGED},
)
async def post_cancel(request: Request, series_id: UUID) -> Response:
    """Cancel one booking of a series, it and those after it, or all that are still to come."""
    raw = await request.body()
    asked = parse(raw, CancelSeries)
    version, venue = await _seen(request, series_id, asked.expected_version)
    wanted = SeriesCancellation(
        series_id=series_id,
        expected_version=version,
        scope=asked.scope,
        occurrence_on=asked.occurrence_on,
        reason=asked.reason,
    )
    about = f"{series_id} {version}"
    key = keyed(
        request, raw, venue=venue, operation="series_cancel", field=asked.idempotency_key, about=about
    )
    done = await engine_of(request).change_once(
        request.state.actor,
        venue,
        cancel_series,
        wanted,
        key=key,
        show=lambda done, _: done.as_json(),
        traceparent=request.state.traceparent,
    )
    if done.value is not None:
        MOVED.labels(Status.CANCELLED).inc(len(done.value.bookings))
    return show_reply(done.reply)


async def _change(
    request: Request,
    venue: Venue,
    plan: Callable[..., Awaitable[Any]],
    verb: Callable[..., Awaitable[SeriesDone]],
    key: Keyed | None,
) -> Done[SeriesDone]:
    """What comes of it, planned and written; a refusal comes with suggestions, found when nothing is held any more."""
    engine = engine_of(request)
    try:
        return await engine.change_planned(
            request.state.actor,
            venue,
            partial(plan, venue=venue, places=engine.places),
            verb,
            key=key,
            show=lambda done, _: done.as_json(),
            traceparent=request.state.traceparent,
        )
    except SeriesRefused as error:
        refused = error
    # The refusal is right without them. The request's time may be over: planning has its own.
    with suppress(Overloaded), request_deadline(engine.db.deadline_s):
        await suggest_all(partial(engine.suggestions.run, venue), refused.missed, venue)
    raise refused.suggesting(venue)


async def _seen(request: Request, series_id: UUID, expected_version: int | None) -> tuple[int, Venue]:
    """The version of a series that the caller saw, and its venue. Raises InvalidRequest, NotFound."""
    version = required_version(expected_version, if_match(request))
    engine = engine_of(request)
    series, _ = await engine.read(request.state.actor, find, series_id)
    return version, await engine.places.venue(series.venue_id)


def _asked(request: Request, asked: CreateSeries, venue: Venue) -> Asked:
    actor = request.state.actor
    if actor.kind == "anonymous":
        raise Unauthenticated("A series is booked by somebody who can come back to it: sign in.")
    if asked.internal_notes is not None and not actor.is_staff:
        raise Forbidden("Internal notes are for staff.", needed_roles=["staff"])
    check_source(actor, asked.source)
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
        details=asked.details(asked.source, asked.metadata),
        traceparent=request.state.traceparent,
    )
    return Asked(first=first, recurrence=parse_rrule.parse(asked.rrule))


def _place(cursor: str | None) -> UUID:
    try:
        return UUID(int=0) if cursor is None else UUID(cursor)
    except ValueError as error:
        raise InvalidRequest.of("cursor", cursor, "give the `next` of the page before") from error
