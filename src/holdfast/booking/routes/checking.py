"""POST /bookings/availability/check. Public."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import model_validator

from holdfast.assigning.preferences import ANYTHING
from holdfast.booking.deciding.prepare import asks_length, prepared_at, timed, usual_minutes
from holdfast.booking.deciding.stays import as_stay
from holdfast.booking.finding.availability import check
from holdfast.booking.finding.check_order import check_order
from holdfast.booking.model import Booking
from holdfast.booking.routes.availability import but_booking, fresh_venue
from holdfast.booking.routes.callers import asker_of
from holdfast.booking.routes.creating import OrderBody
from holdfast.booking.routes.fields import Source
from holdfast.booking.routes.requests import SaleBody, TimeBody
from holdfast.booking.routes.shown import CHECK
from holdfast.booking.rules.length import check_asked
from holdfast.booking.rules.sale import with_sale
from holdfast.booking.rules.sittings import as_slot
from holdfast.booking.said import Details
from holdfast.booking.wanted import Prepared, Wanted
from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.body import takes
from holdfast.kernel.http import answer, parse
from holdfast.kernel.ids import new_id
from holdfast.place.venue import Venue

router = APIRouter()


class CheckAvailability(OrderBody, SaleBody, TimeBody):
    """The time and the party to check availability for."""

    venue_id: UUID
    except_booking: UUID | None = None
    """A booking that you may see and want to change: it is not in its own way."""
    source: Source = "api"
    """The source that the booking would have."""

    @model_validator(mode="after")
    def _has_a_start(self) -> CheckAvailability:
        self.check_start()
        return self


@router.post(
    "/bookings/availability/check",
    operation_id="check_availability",
    summary="Check whether a span is free",
    openapi_extra=takes(CheckAvailability),
    responses={200: CHECK},
)
async def post_check(request: Request) -> Response:
    """Returns whether the span is free for the party, on which resources and at what price; otherwise the conflicts
    and the nearest free slots."""
    asked = parse(await request.body(), CheckAvailability)
    venue = await fresh_venue(request, asked.venue_id)
    wanted = _prepared(request, asked, venue, await but_booking(request, venue, asked.except_booking))
    verb = check_order if wanted.items else check
    engine: Engine = request.app.state.engine
    return answer(await engine.look(SYSTEM, venue, verb, wanted))


def _prepared(request: Request, asked: CheckAvailability, venue: Venue, changed: Booking | None) -> Prepared:
    when = asked.when()
    wanted = Wanted(
        id=new_id(),
        instead_of=None if changed is None else changed.id,
        asked_by=asker_of(request, venue, asked.source, changed=changed),
        tenant_id=venue.tenant_id,
        venue_id=venue.id,
        actor=request.state.actor,
        when=when,
        details=Details(source=asked.source),
        party_size=asked.guests,
        items=() if asked.items is None else tuple(each.wanted() for each in asked.items),
        resource_ids=asked.resource_ids or (),
        preferences=asked.preferred or ANYTHING,
        extras=asked.taken(),
        discount_code=asked.discount_code,
    )
    if venue.stay is not None:
        wanted, span = as_stay(wanted, venue)
        return with_sale(prepared_at(wanted, venue, span, when.slot_id))
    largest = max((each.party_size for each in asked.items or ()), default=asked.guests)
    span, slot_id = timed(when, venue, party_size=largest)
    is_staff, says = wanted.actor.is_staff, asks_length(wanted)
    span, slot_id = as_slot(venue, span, slot_id, says_length=says, is_staff=is_staff)
    if says and slot_id is None:
        usual = usual_minutes(venue.policy, largest)
        check_asked(when, span, venue, usual=usual, is_staff=is_staff)
    return with_sale(prepared_at(wanted, venue, span, slot_id))
