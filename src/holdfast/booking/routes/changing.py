"""PUT /bookings/{id}, POST .../cancel, POST .../status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from fastapi import APIRouter, Request, Response

from holdfast.booking.change import Change, change
from holdfast.booking.metrics import count_moved
from holdfast.booking.model import Booking, as_json
from holdfast.booking.move import Move, move
from holdfast.booking.routes.parts import check_source, find_booking, keyed, show_reply
from holdfast.booking.routes.requests import CancelBooking, MoveBooking, UpdateBooking
from holdfast.booking.routes.shown import BOOKING
from holdfast.booking.states import Status
from holdfast.kernel.actor import Actor
from holdfast.kernel.body import parse, takes
from holdfast.kernel.errors import Forbidden, InvalidRequest
from holdfast.kernel.http import if_match, required_version
from holdfast.kernel.idempotency import Done
from holdfast.place.routes.at_hand import engine_of
from holdfast.place.venue import Venue

router = APIRouter()


@router.put(
    "/bookings/{booking_id}",
    summary="Change a booking",
    openapi_extra=takes(UpdateBooking),
    responses={200: BOOKING},
)
async def put_booking(request: Request, booking_id: UUID) -> Response:
    """Change time, duration, party, resources or guest data. What is left out stays; all is checked anew."""
    asked = parse(await request.body(), UpdateBooking)
    version = required_version(asked.expected_version, if_match(request))
    booking, venue = await find_booking(request, booking_id)
    _check(request.state.actor, booking, asked)
    wanted = Change(
        booking_id=booking_id,
        expected_version=version,
        when=asked.when_changed,
        party_size=asked.party_size,
        resource_ids=asked.resource_ids,
        preferences=None if asked.preferences is None else asked.preferences.value(),
        guest=asked.said("id", "name", "email", "phone", prefix="guest_"),
        details=asked.said("special_requests", "internal_notes", "source", "metadata"),
    )
    done = await _change(request, venue, change, wanted, operation="update", key=asked.idempotency_key)
    return show_reply(done.reply)


def _check(actor: Actor, booking: Booking, asked: UpdateBooking) -> None:
    said = asked.model_fields_set
    if "internal_notes" in said and not actor.is_staff:
        raise Forbidden("Internal notes are for staff.", needed_roles=["staff"])
    if "guest_id" in said and not actor.is_staff and asked.guest_id != booking.guest.id:
        raise Forbidden("Only staff can give a booking to another guest.", needed_roles=["staff"])
    if asked.source is not None and asked.source != booking.details.source:
        check_source(actor, asked.source)
    for name in ("source", "metadata", "party_size"):
        if name in said and getattr(asked, name) is None:
            raise InvalidRequest.of(name, None, "can be changed, not be removed: leave it out to keep it")


@router.post(
    "/bookings/{booking_id}/cancel",
    summary="Cancel a booking",
    openapi_extra=takes(CancelBooking),
    responses={200: BOOKING},
)
async def post_cancel(request: Request, booking_id: UUID) -> Response:
    """Cancel; what it occupied is free at once."""
    asked = parse(await request.body(), CancelBooking)
    version = required_version(asked.expected_version, if_match(request))
    step = Move(booking_id=booking_id, to=Status.CANCELLED, expected_version=version, reason=asked.reason)
    return await _move(request, step, operation="cancel", key=asked.idempotency_key)


@router.post(
    "/bookings/{booking_id}/status",
    summary="Take a step of the state machine",
    openapi_extra=takes(MoveBooking),
    responses={200: BOOKING},
)
async def post_status(request: Request, booking_id: UUID) -> Response:
    """Take one step of the state machine: confirm, check in, complete, turn a hold into a booking, ..."""
    asked = parse(await request.body(), MoveBooking)
    version = required_version(asked.expected_version, if_match(request))
    step = Move(
        booking_id=booking_id,
        to=asked.to,
        expected_version=version,
        reason=asked.reason,
        metadata=asked.metadata,
    )
    return await _move(request, step)


async def _move(
    request: Request, step: Move, *, operation: str | None = None, key: str | None = None
) -> Response:
    booking, venue = await find_booking(request, step.booking_id)
    done = await _change(request, venue, move, step, operation=operation, key=key)
    if done.value is not None:
        count_moved(booking, step.to)
    return show_reply(done.reply)


async def _change(
    request: Request,
    venue: Venue,
    verb: Callable[..., Awaitable[Booking]],
    asked: Change | Move,
    *,
    operation: str | None,
    key: str | None,
) -> Done[Booking]:
    """What the verb made of a booking, and the reply as the caller sees it. `operation`: as which it is made once
    for each idempotency key; None for one that takes none."""
    keyed_as, actor = None, request.state.actor
    if operation is not None:
        raw, about = await request.body(), f"{asked.booking_id} {asked.expected_version}"
        keyed_as = keyed(request, raw, venue=venue, operation=operation, field=key, about=about)
    return await engine_of(request).change_once(
        actor,
        venue,
        verb,
        asked,
        key=keyed_as,
        show=lambda booking, current: as_json(booking, current, actor),
        traceparent=request.state.traceparent,
    )
