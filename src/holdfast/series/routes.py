"""Series over HTTP: preview, create, read, change, cancel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from holdfast.assigning.preferences import ANYTHING
from holdfast.booking.routes.callers import address_of
from holdfast.booking.routes.changing import MOVED
from holdfast.booking.routes.creating import WANTED, check_notes, check_source, count_created, guest_of
from holdfast.booking.routes.parts import own_venue
from holdfast.booking.states import Status
from holdfast.booking.wanted import Wanted
from holdfast.kernel.db.idempotency import Done, Keyed
from holdfast.kernel.db.tx import request_deadline
from holdfast.kernel.errors import Overloaded, Unauthenticated
from holdfast.kernel.http import Caller, IfMatch, answer, json_body, required_version, show_reply
from holdfast.kernel.ids import new_id
from holdfast.kernel.paging import BY_ID, AskedPage
from holdfast.place.opening import parse_rrule
from holdfast.place.routes.at_hand import Asked, AskedChange, EngineUsed
from holdfast.place.venue import Venue
from holdfast.planning import change_planned, make_plan
from holdfast.series import model, shown, store
from holdfast.series.change import SeriesCancellation, SeriesChange, cancel_series, change_series, plan_change
from holdfast.series.create import create_series
from holdfast.series.decide import preview
from holdfast.series.expand import SeriesWanted
from holdfast.series.find import find
from holdfast.series.model import SeriesDone
from holdfast.series.plan import plan_series
from holdfast.series.refused import SeriesRefused, suggest_all
from holdfast.series.requests import CancelSeries, ChangeSeries, CreateSeries

VenueId = Annotated[UUID, Query(description="The venue.")]

NIL = UUID(int=0)

router = APIRouter(tags=["Series"])


@router.post(
    "/series/preview",
    operation_id="preview_series",
    summary="Preview a series",
    responses={200: shown.PREVIEW},
)
async def post_preview(
    request: Request, body: Annotated[CreateSeries, json_body(CreateSeries)], asked: AskedChange
) -> Response:
    """Returns what each occurrence would get, or what is in its way. Nothing is stored."""
    asked.key(body.idempotency_key)  # unused, but a key that booking would refuse is refused here too
    engine, venue = asked.engine, await asked.engine.places.bookable(asked.actor, body.venue_id)
    look = partial(preview, asked=_wanted(request, asked, body, venue), venue=venue, places=engine.places)
    found = await make_plan(engine, asked.actor, venue, look, is_preview=True)
    return answer({"occurrences": found, "free": sum(each["free"] for each in found)})


@router.post(
    "/series",
    operation_id="create_series",
    summary="Book a series",
    responses={201: shown.CREATED},
    status_code=201,
)
async def post_series(
    request: Request, body: Annotated[CreateSeries, json_body(CreateSeries)], asked: AskedChange
) -> Response:
    """Book a whole series at once. `on_conflict` decides what happens if an occurrence is not available."""
    venue = await asked.engine.places.bookable(asked.actor, body.venue_id)
    plan = partial(plan_series, asked=_wanted(request, asked, body, venue), on_conflict=body.on_conflict)
    key = asked.keyed(venue, "series_create", body, about="/api/v1/series")
    try:
        done = await _change(asked, venue, plan, create_series, key)
    except SeriesRefused as error:
        WANTED.labels(error.code).inc(len(error.missed))
        raise
    for booking in () if done.value is None else done.value.bookings:
        count_created(booking)
    return show_reply(done.reply, status=201)


@router.get(
    "/series", operation_id="list_series", summary="List the series of a venue", responses={200: shown.PAGE}
)
async def get_of_venue(venue_id: VenueId, page: AskedPage, engine: EngineUsed, actor: Caller) -> Response:
    """All series of a venue, oldest first. Staff only."""
    venue = await own_venue(engine, actor, venue_id)
    found = await engine.read(
        actor, store.of_venue, venue, after=page.after(BY_ID) or NIL, limit=page.read_max
    )
    return page.answer(found, model.listed_json, BY_ID, lambda series: series.id)


@router.get(
    "/series/{series_id}", operation_id="get_series", summary="Read a series", responses={200: shown.SERIES}
)
async def get_series(series_id: UUID, engine: EngineUsed, actor: Caller) -> Response:
    """A series with its current bookings. Guests see their own."""
    series, members = await engine.read(actor, find, series_id)
    return answer(model.as_json(series, members), version=series.version)


@router.patch(
    "/series/{series_id}",
    operation_id="update_series",
    summary="Change a series",
    responses={200: shown.CHANGED},
)
async def patch_series(
    series_id: UUID,
    body: Annotated[ChangeSeries, json_body(ChangeSeries)],
    if_match: IfMatch,
    asked: AskedChange,
) -> Response:
    """Change one booking of a series, one and those after it, or all that are still to come. `on_conflict` decides
    what happens if one can't be changed. Past bookings stay as they are."""
    version = required_version(body.expected_version, if_match)
    venue = await _venue_of(asked, series_id)
    changes = body.changes
    check_notes(asked.actor, is_said="internal_notes" in changes.model_fields_set)
    wanted = SeriesChange(
        series_id=series_id,
        expected_version=version,
        scope=body.scope,
        occurrence_on=body.occurrence_on,
        on_conflict=body.on_conflict,
        booking_time=changes.clock,
        duration_minutes=changes.duration_minutes,
        party_size=changes.party_size,
        resource_ids=changes.resource_ids,
        preferences=None if changes.preferences is None else changes.preferences.value(),
        guest=changes.said("name", "email", "phone", prefix="guest_"),
        details=changes.said("special_requests", "internal_notes"),
    )
    key = asked.keyed(venue, "series_update", body, about=f"{series_id} {version}")
    plan = partial(plan_change, asked=wanted, actor=asked.actor)
    return show_reply((await _change(asked, venue, plan, change_series, key)).reply)


@router.post(
    "/series/{series_id}/cancel",
    operation_id="cancel_series",
    summary="Cancel a series",
    responses={200: shown.CHANGED},
)
async def post_cancel(
    series_id: UUID,
    body: Annotated[CancelSeries, json_body(CancelSeries)],
    if_match: IfMatch,
    asked: AskedChange,
) -> Response:
    """Cancel one booking of a series, one and those after it, or all that are still to come."""
    version = required_version(body.expected_version, if_match)
    venue = await _venue_of(asked, series_id)
    wanted = SeriesCancellation(
        series_id=series_id,
        expected_version=version,
        scope=body.scope,
        occurrence_on=body.occurrence_on,
        reason=body.reason,
    )
    done = await asked.engine.change_once(
        asked.actor,
        venue,
        cancel_series,
        wanted,
        key=asked.keyed(venue, "series_cancel", body, about=f"{series_id} {version}"),
        show=lambda done, _: done.as_json(),
        traceparent=asked.traceparent,
    )
    if done.value is not None:
        MOVED.labels(Status.CANCELLED).inc(len(done.value.bookings))
    return show_reply(done.reply)


async def _change(
    asked: Asked,
    venue: Venue,
    plan: Callable[..., Awaitable[Any]],
    verb: Callable[..., Awaitable[SeriesDone]],
    key: Keyed | None,
) -> Done[SeriesDone]:
    """Plans the change and writes it. Adds suggestions to a refusal, after all locks are released."""
    engine = asked.engine
    try:
        return await change_planned(
            engine,
            asked.actor,
            venue,
            partial(plan, venue=venue, places=engine.places),
            verb,
            key=key,
            show=lambda done, _: done.as_json(),
            traceparent=asked.traceparent,
        )
    except SeriesRefused as error:
        refused = error
    # The refusal is valid without suggestions. They get a deadline of their own: planning may have used the request's.
    with suppress(Overloaded), request_deadline(engine.db.deadline_s):
        await suggest_all(partial(engine.suggestions.run, venue), refused.missed, venue)
    raise refused.suggesting(venue)


async def _venue_of(asked: Asked, series_id: UUID) -> Venue:
    """Returns the venue of a series that the caller may see. Raises NotFound."""
    series, _ = await asked.engine.read(asked.actor, find, series_id)
    return await asked.engine.places.venue(series.venue_id)


def _wanted(request: Request, asked: Asked, body: CreateSeries, venue: Venue) -> SeriesWanted:
    actor = asked.actor
    if actor.kind == "anonymous":
        raise Unauthenticated("A series needs a guest who can access it later: sign in to book one.")
    check_notes(actor, is_said=body.internal_notes is not None)
    check_source(actor, body.source)
    first = Wanted(
        id=new_id(),
        tenant_id=venue.tenant_id,
        venue_id=venue.id,
        actor=actor,
        when=body.when(),
        party_size=body.party_size,
        resource_ids=body.resource_ids or (),
        preferences=body.preferred or ANYTHING,
        guest=guest_of(actor, body.guest()),
        details=body.details(body.source, body.metadata),
        ip=address_of(request) if venue.policy.fair_use else None,
        traceparent=asked.traceparent,
    )
    return SeriesWanted(first=first, recurrence=parse_rrule.parse(body.rrule))
