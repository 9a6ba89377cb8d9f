"""GET of bookings, their history, and lists of them."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime

from holdfast.booking import store
from holdfast.booking.access import require_staff
from holdfast.booking.finding import lists
from holdfast.booking.finding.lists import Filter, Page, Place
from holdfast.booking.model import as_json
from holdfast.booking.routes.parts import (
    check_year,
    find_booking,
    tenant_for,
    venue_for,
)
from holdfast.booking.routes.shown import BOOKING, BOOKINGS, HISTORY
from holdfast.booking.states import Status
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import InvalidRequest, NotFound, Unauthenticated
from holdfast.kernel.http import LIMIT_DEFAULT, Cursor, Limit, answer, cursor_of, number_in
from holdfast.kernel.text import line
from holdfast.place.routes.at_hand import TenantQuery, engine_of

router = APIRouter()

HISTORY_FIELDS = ("from_status", "to_status", "actor", "action", "reason", "created_at")
Reference = Annotated[str, Path(pattern=r"^BR-[0-9]{8}-[0-9A-Z]{6}$", description="BR-YYYYMMDD-XXXXXX")]
From = Annotated[AwareDatetime | None, Query(alias="from", description="Ends after this instant.")]
To = Annotated[AwareDatetime | None, Query(description="Starts before this instant.")]
GuestId = Annotated[line(128), Path()]
VERSION_MAX = 2**31 - 1


@router.get(
    "/bookings/reference/{reference}", summary="Read a booking by its reference", responses={200: BOOKING}
)
async def get_by_reference(request: Request, reference: Reference, tenant: TenantQuery = None) -> Response:
    """The booking with that reference. It is unique within a tenant, which platform administrators have to name."""
    tenant_id = await tenant_for(request, tenant)
    engine, actor = engine_of(request), request.state.actor
    booking = await engine.by_reference.find(tenant_id, reference, actor)
    venue = await engine.places.venue(booking.venue_id)
    return answer(as_json(booking, venue, actor), version=booking.version)


@router.get("/bookings/guest/{guest_id}", summary="List the bookings of a guest", responses={200: BOOKINGS})
async def get_of_guest(
    request: Request,
    guest_id: GuestId,
    from_: From = None,
    to: To = None,
    status: Status | None = None,
    resource_id: UUID | None = None,
    tenant: TenantQuery = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """The guest's bookings, by start. Guests see their own; staff those at their venues. Platform administrators
    have to name the tenant."""
    actor: Actor = request.state.actor
    if actor.kind == "anonymous":
        raise Unauthenticated
    if not actor.is_staff and actor.id != guest_id:
        raise NotFound(f"There is no guest {guest_id}.")
    page = await engine_of(request).read(
        actor,
        lists.of_guest,
        await tenant_for(request, tenant),
        guest_id,
        narrow=_filter(from_, to, status, resource_id),
        after=Place.of(cursor),
        limit=limit,
    )
    return await _show(request, page)


@router.get("/bookings/venue/{venue_id}", summary="List the bookings of a venue", responses={200: BOOKINGS})
async def get_of_venue(
    request: Request,
    venue_id: UUID,
    from_: From = None,
    to: To = None,
    status: Status | None = None,
    resource_id: UUID | None = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """The venue's bookings, by start. Staff only."""
    actor: Actor = request.state.actor
    if actor.kind == "anonymous":
        raise Unauthenticated
    venue = await venue_for(request, venue_id)
    require_staff(actor, venue)
    page = await engine_of(request).read_at(
        actor,
        venue,
        lists.of_venue,
        venue,
        narrow=_filter(from_, to, status, resource_id),
        after=Place.of(cursor),
        limit=limit,
    )
    return await _show(request, page)


@router.get("/bookings/{booking_id}", summary="Read a booking", responses={200: BOOKING})
async def get_booking(request: Request, booking_id: UUID) -> Response:
    """One booking."""
    booking, venue = await find_booking(request, booking_id)
    return answer(as_json(booking, venue, request.state.actor), version=booking.version)


@router.get(
    "/bookings/{booking_id}/history", summary="Read the history of a booking", responses={200: HISTORY}
)
async def get_history(
    request: Request, booking_id: UUID, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> Response:
    """The audit trail of a booking, oldest first."""
    booking, _ = await find_booking(request, booking_id)
    after = number_in(cursor, most=VERSION_MAX)
    rows = await engine_of(request).read(
        request.state.actor, store.history, booking, after=after, limit=limit + 1
    )
    items: list[dict[str, Any]] = [
        {name: row[name] for name in HISTORY_FIELDS} | {"metadata": orjson.loads(row["metadata"])}
        for row in rows[:limit]
    ]
    following = cursor_of(rows[limit - 1]["version"]) if len(rows) > limit else None
    return answer({"items": items, "next": following})


def _filter(from_: Any, to: Any, status: Status | None, resource_id: UUID | None) -> Filter:
    for name, value in (("from", from_), ("to", to)):
        if value is not None:
            check_year(name, value)
    if from_ is not None and to is not None and to <= from_:
        raise InvalidRequest.of("to", to.isoformat(), "must be after `from`")
    return Filter(start=from_, end=to, status=status, resource_id=resource_id)


async def _show(request: Request, page: Page) -> Response:
    actor, places = request.state.actor, engine_of(request).places
    items = [as_json(each, await places.venue(each.venue_id), actor) for each in page.items]
    return answer({"items": items, "next": None if page.next is None else page.next.cursor()})
