"""POST /bookings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from prometheus_client import Counter
from pydantic import Field, model_validator

from holdfast.assigning.preferences import ANYTHING
from holdfast.booking.deciding.conflicts import NotAvailable
from holdfast.booking.deciding.known import Refused
from holdfast.booking.deciding.order import ITEMS_MAX
from holdfast.booking.making.create import Again, Booked
from holdfast.booking.model import Booking, Guest
from holdfast.booking.routes.callers import address_of
from holdfast.booking.routes.fields import GUEST_SOURCES, Source
from holdfast.booking.routes.requests import (
    PARTY_MAX,
    BookedBody,
    NewBody,
    PlaceBody,
)
from holdfast.booking.routes.shown import BOOKING
from holdfast.booking.rules.suggestible import Suggestible
from holdfast.booking.states import Status
from holdfast.booking.wanted import ItemWanted, Wanted
from holdfast.engine import Engine
from holdfast.kernel.actor import Actor
from holdfast.kernel.body import Problem, refuse, takes
from holdfast.kernel.errors import Forbidden, Unauthenticated
from holdfast.kernel.http import answer, change_request, parse, show_reply
from holdfast.kernel.ids import new_id
from holdfast.kernel.money import CURRENCIES, format_money
from holdfast.kernel.span import Span
from holdfast.place.routes.at_hand import Asked
from holdfast.place.venue import Venue

router = APIRouter()
WANTED = Counter(
    "holdfast_bookings_total",
    "Requested bookings by outcome: created, again (the stored reply was returned), or the code of the refusal.",
    ["outcome"],
)
VALUE = Counter("holdfast_booking_value_total", "Total price of created bookings.", ["currency"])
HOLDS = Counter("holdfast_holds_total", "Holds: created, and converted into bookings.", ["outcome"])
REFUSED_AFTER_VIEW = Counter(
    "holdfast_refused_after_stale_view_total",
    "Bookings refused as not available although the client saw a version: whether that was stale (yes, no, unknown).",
    ["stale"],
)
_CREATED = WANTED.labels("created")


class ItemBody(PlaceBody):
    """One thing of an order."""

    party_size: int = Field(ge=1, le=PARTY_MAX)
    """The number of guests."""

    def wanted(self) -> ItemWanted:
        """Returns what is wanted, with a new id."""
        return ItemWanted(
            id=new_id(),
            party_size=self.party_size,
            resource_ids=self.resource_ids or (),
            preferences=self.preferred or ANYTHING,
        )


class OrderBody(PlaceBody):
    """One thing, or several in one order."""

    items: Annotated[tuple[ItemBody, ...], Field(min_length=1, max_length=ITEMS_MAX)] | None = None
    """Several things in one order, all of them or none. Each has its own place and guests."""
    party_size: int | None = Field(default=None, ge=1, le=PARTY_MAX)
    """The number of guests. Of an order it may be omitted: it is the sum of its items."""

    @model_validator(mode="after")
    def _one_thing_or_items(self) -> OrderBody:
        if self.items is None:
            if self.party_size is None:
                refuse("Booking", [Problem(("party_size",), None, "is required, or items for an order")])
        elif self.resource_ids or self.group or self.preferences:
            raise ValueError("give resource_ids, group or preferences for each item, or omit items")
        elif self.party_size not in (None, self.guests):
            problem = f"must be omitted or {self.guests}, the sum of the items"
            refuse("Booking", [Problem(("party_size",), self.party_size, problem)])
        return self

    @property
    def guests(self) -> int:
        """How many guests there are in all."""
        if self.items is not None:
            return sum(each.party_size for each in self.items)
        return self.party_size or 0


class CreateBooking(NewBody, OrderBody, BookedBody):
    """A new booking."""

    hold: bool = False
    """Hold the resources until `expires_at` instead of booking them."""
    source: Source = "api"
    """Where the booking came from."""
    seen_version: int | None = Field(default=None, ge=0, le=2**63 - 1)
    """The version of the availability that the client displayed."""


@router.post(
    "/bookings",
    operation_id="create_booking",
    summary="Book",
    openapi_extra=takes(CreateBooking),
    responses={201: BOOKING},
    status_code=201,
)
async def post_booking(request: Request) -> Response:
    """Book or hold one or more resources for one span: all of them or none."""
    # Takes the bare request, so that main/http/shortcut.py can call it without the framework.
    asked: Asked = await change_request(request)
    body = parse(asked.body, CreateBooking)
    check_hold(asked.actor, is_hold=body.hold)
    venue = await asked.engine.places.bookable(asked.actor, body.venue_id)
    wanted = wanted_booking(
        request,
        asked,
        body,
        venue,
        when=body.when(),
        party_size=body.guests,
        items=() if body.items is None else tuple(each.wanted() for each in body.items),
        hold=body.hold,
        source=body.source,
        ip=address_of(request) if body.hold or venue.policy.fair_use else None,
        is_asked=not body.hold,
    )
    return await submit(request, asked.engine, wanted, seen_version=body.seen_version)


def wanted_booking(
    request: Request,
    asked: Asked,
    body: BookedBody,
    venue: Venue,
    *,
    source: Source,
    **own: Any,
) -> Wanted:
    """Returns the wanted booking. `own`: the fields that only one of the bodies has."""
    actor = asked.actor
    check_notes(actor, is_said=body.internal_notes is not None)
    check_source(actor, source)
    key = asked.key(body.idempotency_key)
    return Wanted(
        id=new_id(),
        tenant_id=venue.tenant_id,
        venue_id=venue.id,
        actor=actor,
        resource_ids=body.resource_ids or (),
        preferences=body.preferred or ANYTHING,
        guest=guest_of(actor, body.guest()),
        details=body.details(source, body.metadata, body.answers),
        overriding=body.overriding(),
        extras=body.taken(),
        discount_code=body.discount_code,
        traceparent=asked.traceparent,
        key=key,
        request_hash=b"" if key is None else asked.hash(body, request.scope["path"]),
        **own,
    )


def check_notes(actor: Actor, *, is_said: bool) -> None:
    """Raises Forbidden if somebody other than staff sends internal notes. `is_said`: the request has some."""
    if is_said and not actor.is_staff:
        raise Forbidden("Internal notes are for staff: omit internal_notes.", needed_roles=["staff"])


def check_source(actor: Actor, source: Source) -> None:
    """Raises Forbidden if the actor may not use this source."""
    if not actor.is_staff and source not in GUEST_SOURCES:
        allowed = " or ".join(sorted(GUEST_SOURCES))
        raise Forbidden(
            f"The source {source} is for staff: guests can use {allowed}.", needed_roles=["staff"]
        )


def check_hold(actor: Actor, *, is_hold: bool) -> None:
    """Raises Unauthenticated if a caller without a token wants to hold: nobody could confirm that hold."""
    if is_hold and actor.kind == "anonymous":
        raise Unauthenticated("To hold a place, sign in; or book it at once, without hold.")


def guest_of(actor: Actor, guest: Guest) -> Guest:
    """Returns the guest that the booking is for. Guests book for themselves, staff for anybody, and callers without a
    token for a guest without an id. Raises Forbidden."""
    if actor.is_staff:
        return guest
    if actor.kind == "anonymous":
        if guest.id is not None:
            raise Forbidden("To book with a guest_id, sign in as that guest. Otherwise omit guest_id.")
        return guest
    if guest.id not in (None, actor.id):
        raise Forbidden("Guests can book only for themselves: omit guest_id.")
    return replace(guest, id=actor.id)


async def submit(
    request: Request, engine: Engine, wanted: Wanted, *, seen_version: int | None = None
) -> Response:
    outcome = await engine.create(wanted)
    match outcome:
        case Booked(booking, body):
            count_created(booking)
            return answer(body.encode(), status=201, version=booking.version)
        case Again(reply):
            WANTED.labels("again").inc()
            return show_reply(reply, status=201)
        case Refused(error):
            WANTED.labels(error.code).inc()
            if isinstance(error, NotAvailable) and seen_version is not None:
                count_refused_after_view(seen_version, _newest_version(request, error))
            if isinstance(error, Suggestible):
                error = await engine.suggesting(error)
            raise error
        case _:
            raise AssertionError(outcome)


def _newest_version(request: Request, refused: NotAvailable) -> int | None:
    """Returns the newest version of that availability that this process has seen; None if it has seen none."""
    newest: Callable[[UUID, Span], int | None] | None = getattr(request.app.state, "newest_version", None)
    wanted = refused.wanted
    return newest(wanted.venue.id, wanted.span) if newest is not None and wanted is not None else None


def count_created(booking: Booking) -> None:
    """Counts a created booking and its value."""
    _CREATED.inc()
    if booking.status is Status.HELD:
        HOLDS.labels("created").inc()
    total_minor, currency = booking.total_minor, booking.price.currency
    if total_minor:
        _value_in(currency).inc(float(format_money(total_minor, currency)))


@lru_cache(len(CURRENCIES))
def _value_in(currency: str) -> Counter:
    return VALUE.labels(currency)


def count_refused_after_view(seen: int, newest: int | None) -> None:
    """Counts a refusal of a client that saw the version `seen`. `newest`: the newest one this process has seen."""
    stale = "unknown" if newest is None else "yes" if newest > seen else "no"
    REFUSED_AFTER_VIEW.labels(stale).inc()
