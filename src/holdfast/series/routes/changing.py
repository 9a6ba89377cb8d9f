"""PATCH /series/{id} and POST .../cancel."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from holdfast.booking.metrics import MOVED
from holdfast.booking.routes.parts import keyed, show_reply
from holdfast.booking.states import Status
from holdfast.kernel.actor import Actor
from holdfast.kernel.body import parse, takes
from holdfast.kernel.errors import Forbidden
from holdfast.kernel.http import if_match, required_version
from holdfast.place.routes.at_hand import engine_of
from holdfast.series import shown
from holdfast.series.cancel import SeriesCancellation, cancel_series
from holdfast.series.change import SeriesChange, change_series, plan_change
from holdfast.series.requests import CancelSeries, ChangeSeries, ChangesWanted
from holdfast.series.routes.parts import show, suggesting, venue_of

router = APIRouter()

DETAILS = ("guest_name", "guest_email", "guest_phone", "special_requests", "internal_notes")


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
    version = required_version(asked.expected_version, if_match(request))
    venue = await venue_of(request, series_id)
    changes = asked.changes
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
        details=_details(request.state.actor, changes),
    )
    key = keyed(
        request,
        raw,
        venue=venue,
        operation="series_update",
        field=asked.idempotency_key,
        about=f"{series_id} {version}",
    )
    engine, actor = engine_of(request), request.state.actor
    change = engine.change_planned(
        actor,
        venue,
        partial(plan_change, asked=wanted, actor=actor, venue=venue, places=engine.places),
        change_series,
        key=key,
        show=show,
        traceparent=request.state.traceparent,
    )
    done = await suggesting(request, venue, change)
    return show_reply(done.reply)


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
    version = required_version(asked.expected_version, if_match(request))
    venue = await venue_of(request, series_id)
    wanted = SeriesCancellation(
        series_id=series_id,
        expected_version=version,
        scope=asked.scope,
        occurrence_on=asked.occurrence_on,
        reason=asked.reason,
    )
    key = keyed(
        request,
        raw,
        venue=venue,
        operation="series_cancel",
        field=asked.idempotency_key,
        about=f"{series_id} {version}",
    )
    change = engine_of(request).change_once(
        request.state.actor,
        venue,
        cancel_series,
        wanted,
        key=key,
        show=show,
        traceparent=request.state.traceparent,
    )
    done = await change
    if done.value is not None:
        MOVED.labels(Status.CANCELLED).inc(len(done.value.bookings))
    return show_reply(done.reply)


def _details(actor: Actor, changes: ChangesWanted) -> dict[str, Any]:
    if "internal_notes" in changes.model_fields_set and not actor.is_staff:
        raise Forbidden("Internal notes are for staff.", needed_roles=["staff"])
    return {name: getattr(changes, name) for name in DETAILS if name in changes.model_fields_set}
