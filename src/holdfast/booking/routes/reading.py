"""GET of bookings, of their history, and of lists of bookings."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import Field

from holdfast.booking import queries
from holdfast.booking.finding import lists
from holdfast.booking.finding.lists import Filter
from holdfast.booking.model import Booking, as_json
from holdfast.booking.routes.changing import find_booking
from holdfast.booking.routes.parts import check_year, own_venue, tenant_for
from holdfast.booking.routes.shown import BOOKING, BOOKINGS, HISTORY
from holdfast.booking.states import Status
from holdfast.engine import Engine
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import InvalidRequest, NotFound, Unauthenticated
from holdfast.kernel.http import Caller, InstantText, answer
from holdfast.kernel.paging import AskedPage, Keyset, Page
from holdfast.kernel.text import line
from holdfast.place.routes.at_hand import EngineUsed, TenantQuery, VenueInPath

router = APIRouter()

HISTORY_FIELDS = ("from_status", "to_status", "actor", "action", "reason", "created_at")
Reference = Annotated[str, Path(pattern=r"^BR-[0-9]{8}-[0-9A-Z]{6}$", description="BR-YYYYMMDD-XXXXXX")]
From = Annotated[
    InstantText | None, Query(alias="from", description="Only bookings that end after this instant.")
]
To = Annotated[InstantText | None, Query(description="Only bookings that start before this instant.")]
GuestId = Annotated[line(128), Path()]
BY_VERSION: Keyset[int] = Keyset(Annotated[int, Field(ge=1, le=2**31 - 1)])


async def _filter(
    from_: From = None, to: To = None, status: Status | None = None, resource_id: UUID | None = None
) -> Filter:
    for name, value in (("from", from_), ("to", to)):
        if value is not None:
            check_year(name, value)
    if from_ is not None and to is not None and to <= from_:
        raise InvalidRequest.of("to", to.isoformat(), "must be after `from`")
    ids = None if resource_id is None else (resource_id,)
    return Filter(start=from_, end=to, status=status, resource_ids=ids)


Narrow = Annotated[Filter, Depends(_filter)]


@router.get(
    "/bookings/reference/{reference}",
    operation_id="get_booking_by_reference",
    summary="Read a booking by its reference",
    responses={200: BOOKING},
)
async def get_by_reference(
    reference: Reference, engine: EngineUsed, actor: Caller, tenant: TenantQuery = None
) -> Response:
    """Returns the booking with that reference. References are unique per tenant; platform administrators must name
    the tenant."""
    tenant_id = await tenant_for(engine, actor, tenant)
    booking = await engine.by_reference.find(tenant_id, reference, actor)
    venue = await engine.places.venue(booking.venue_id)
    return answer(as_json(booking, venue, actor), version=booking.version)


@router.get(
    "/bookings/guest/{guest_id}",
    operation_id="list_guest_bookings",
    summary="List the bookings of a guest",
    responses={200: BOOKINGS},
)
async def get_of_guest(
    guest_id: GuestId,
    narrow: Narrow,
    page: AskedPage,
    engine: EngineUsed,
    actor: Caller,
    tenant: TenantQuery = None,
) -> Response:
    """Returns the guest's bookings, ordered by start. Guests see their own, staff those at their venues. Platform
    administrators must name the tenant."""
    if actor.kind == "anonymous":
        raise Unauthenticated
    if not actor.is_staff and actor.id != guest_id:
        raise NotFound(f"There is no guest {guest_id}.")
    found = await engine.read(
        actor,
        lists.of_guest,
        await tenant_for(engine, actor, tenant),
        guest_id,
        narrow=narrow,
        after=page.after(lists.BY_START),
        limit=page.read_max,
    )
    return await _show(found, page, engine, actor)


@router.get(
    "/bookings/venue/{venue_id}",
    operation_id="list_venue_bookings",
    summary="List the bookings of a venue",
    responses={200: BOOKINGS},
)
async def get_of_venue(
    venue_id: VenueInPath, narrow: Narrow, page: AskedPage, engine: EngineUsed, actor: Caller
) -> Response:
    """Returns the venue's bookings, ordered by start. Staff only."""
    venue = await own_venue(engine, actor, venue_id)
    found = await engine.read_at(
        actor,
        venue,
        lists.of_venue,
        venue,
        narrow=narrow,
        after=page.after(lists.BY_START),
        limit=page.read_max,
    )
    return await _show(found, page, engine, actor)


@router.get(
    "/bookings/{booking_id}", operation_id="get_booking", summary="Read a booking", responses={200: BOOKING}
)
async def get_booking(booking_id: UUID, engine: EngineUsed, actor: Caller) -> Response:
    """Returns one booking."""
    booking, venue = await find_booking(engine, actor, booking_id)
    return answer(as_json(booking, venue, actor), version=booking.version)


@router.get(
    "/bookings/{booking_id}/history",
    operation_id="list_booking_history",
    summary="Read the history of a booking",
    responses={200: HISTORY},
)
async def get_history(booking_id: UUID, page: AskedPage, engine: EngineUsed, actor: Caller) -> Response:
    """Returns the audit trail of a booking, oldest first."""
    booking, _ = await find_booking(engine, actor, booking_id)
    after = page.after(BY_VERSION) or 0
    found = await engine.read(actor, queries.history, booking, after=after, limit=page.read_max)
    return page.answer(found, _step, BY_VERSION, lambda row: row["version"])


def _step(row: Any) -> dict[str, Any]:
    return {name: row[name] for name in HISTORY_FIELDS} | {"metadata": orjson.loads(row["metadata"])}


async def _show(found: list[Booking], page: Page, engine: Engine, actor: Actor) -> Response:
    shown = [(each, await engine.places.venue(each.venue_id)) for each in found]
    return page.answer(
        shown, lambda each: as_json(*each, actor), lists.BY_START, lambda each: lists.place_of(each[0])
    )
