"""PUT /bookings/{id}, POST .../confirm, .../cancel, .../status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import APIRouter, Response
from prometheus_client import Counter
from pydantic import AfterValidator, Field

from holdfast.booking import store
from holdfast.booking.cancel_item import ItemCancellation
from holdfast.booking.change import Change, change
from holdfast.booking.confirm import Confirmation, confirm
from holdfast.booking.deciding.order import ITEMS_MAX
from holdfast.booking.deciding.reorder import ItemChange
from holdfast.booking.model import Booking, as_json
from holdfast.booking.move import Move, move
from holdfast.booking.routes.creating import HOLDS, check_notes, check_source
from holdfast.booking.routes.fields import Answers, Key, Metadata, Source, Version
from holdfast.booking.routes.requests import PARTY_MAX, DetailsBody, OverrideBody, PlaceBody, SaleBody
from holdfast.booking.routes.shown import BOOKING
from holdfast.booking.states import OCCUPYING, Status
from holdfast.booking.wanted import When
from holdfast.engine import Engine
from holdfast.kernel.actor import Actor, require_visible
from holdfast.kernel.body import Body
from holdfast.kernel.db.idempotency import Done, Keyed
from holdfast.kernel.errors import Forbidden, InvalidRequest
from holdfast.kernel.http import IfMatch, json_body, required_version, seen_version, show_reply
from holdfast.kernel.ids import new_id
from holdfast.kernel.text import lines
from holdfast.place.routes.at_hand import Asked, AskedChange
from holdfast.place.venue import Venue

router = APIRouter()
MOVED = Counter("holdfast_booking_moves_total", "Status changes made over HTTP, by new status.", ["to"])


class ItemChangeBody(PlaceBody):
    """A change of one item of an order. Without an id it is a new item, which needs its `party_size`."""

    id: UUID | None = None
    """The item to change. Omitted: a new one."""
    party_size: int | None = Field(default=None, ge=1, le=PARTY_MAX)
    """The number of guests."""

    def change(self) -> ItemChange:
        """Returns the change; a new item gets an id."""
        return ItemChange(
            id=self.id or new_id(),
            is_new=self.id is None,
            party_size=self.party_size,
            resource_ids=self.resource_ids,
            preferences=self.preferred,
        )


def _each_item_once(value: tuple[ItemChangeBody, ...]) -> tuple[ItemChangeBody, ...]:
    ids = [each.id for each in value if each.id is not None]
    if len(set(ids)) != len(ids):
        raise ValueError("must name each item once")
    return value


class UpdateBooking(DetailsBody, OverrideBody, SaleBody):
    """What to change. Omitted fields stay as they are; null clears a text. With `booking_date` alone the booking keeps
    its time of day, with `booking_time` alone its date."""

    changes_a_booking: ClassVar[bool] = True

    expected_version: Version | None = None
    """The version that you last read; or send If-Match."""
    party_size: int | None = Field(default=None, ge=1, le=PARTY_MAX)
    items: (
        Annotated[
            tuple[ItemChangeBody, ...],
            Field(min_length=1, max_length=ITEMS_MAX),
            AfterValidator(_each_item_once),
        ]
        | None
    ) = None
    """Of an order: the items to change or to add. The others stay as they are."""
    source: Source | None = None
    metadata: Metadata | None = None
    answers: Answers | None = None
    """Answers to add or replace, by id of the question; null removes one."""

    @property
    def sale_changed(self) -> dict[str, Any]:
        """The new extras and discount code, if they are given. Extras replace all that the booking has."""
        return self.said("discount_code") | (
            {"extras": self.taken()} if "extras" in self.model_fields_set else {}
        )

    @property
    def when_changed(self) -> When | None:
        """The requested time; None if it stays the same."""
        if self.names_a_start or self.names_a_length:
            return self.when()
        return None


class ConfirmBooking(Body):
    """The confirmation of a hold. Nothing in it is needed, but answers that the venue requires."""

    unsaid: ClassVar[frozenset[str]] = frozenset({"answers"})

    expected_version: Version | None = None
    """The version that you last read; or send If-Match."""
    answers: Answers = Field(default_factory=dict)
    """Answers to the venue's questions, by id, beside those that the hold has."""
    idempotency_key: Key | None = None  # pyright: ignore[reportInvalidTypeForm]
    """Alternative to the Idempotency-Key header."""


class CancelBooking(Body):
    """A cancellation."""

    unsaid: ClassVar[frozenset[str]] = frozenset({"reason", "metadata"})

    expected_version: Version | None = None
    """The version that you last read; or send If-Match."""
    reason: lines(500) | None = None  # pyright: ignore[reportInvalidTypeForm]
    idempotency_key: Key | None = None  # pyright: ignore[reportInvalidTypeForm]
    """Alternative to the Idempotency-Key header."""


class MoveBooking(Body):
    """A step to another status."""

    unsaid: ClassVar[frozenset[str]] = frozenset({"reason", "metadata"})

    to: Status
    expected_version: Version | None = None
    """The version that you last read; or send If-Match."""
    reason: lines(500) | None = None  # pyright: ignore[reportInvalidTypeForm]
    metadata: Metadata = Field(default_factory=dict)
    idempotency_key: Key | None = None  # pyright: ignore[reportInvalidTypeForm]
    """Alternative to the Idempotency-Key header."""


@router.put(
    "/bookings/{booking_id}",
    operation_id="update_booking",
    summary="Change a booking",
    responses={200: BOOKING},
)
async def put_booking(
    booking_id: UUID,
    body: Annotated[UpdateBooking, json_body(UpdateBooking)],
    if_match: IfMatch,
    asked: AskedChange,
) -> Response:
    """Change time, duration, party, resources or guest data. Omitted fields stay as they are. The changed booking is
    checked like a new one."""
    version = required_version(body.expected_version, if_match)
    booking, venue = await find_booking(asked.engine, asked.actor, booking_id)
    _check(asked.actor, booking, body)
    wanted = Change(
        booking_id=booking_id,
        expected_version=version,
        when=body.when_changed,
        party_size=body.party_size,
        resource_ids=body.resource_ids,
        preferences=body.preferred,
        guest=body.said("id", "name", "email", "phone", prefix="guest_"),
        overriding=body.overriding(),
        details=body.said("special_requests", "internal_notes", "source", "metadata", "answers"),
        sale=body.sale_changed,
        items=() if body.items is None else tuple(each.change() for each in body.items),
    )
    key = asked.keyed(venue, "update", body, about=f"{booking_id} {version}")
    return show_reply((await apply(asked, venue, change, wanted, key)).reply)


def _check(actor: Actor, booking: Booking, asked: UpdateBooking) -> None:
    said = asked.model_fields_set
    check_notes(actor, is_said="internal_notes" in said)
    if "guest_id" in said and not actor.is_staff and asked.guest_id != booking.guest.id:
        raise Forbidden("Only staff can transfer a booking to another guest.", needed_roles=["staff"])
    if asked.source is not None and asked.source != booking.details.source:
        check_source(actor, asked.source)
    for name in ("source", "metadata", "party_size", "answers"):
        if name in said and getattr(asked, name) is None:
            raise InvalidRequest.of(name, None, "can be changed but not removed: omit it to keep it")


@router.post(
    "/bookings/{booking_id}/confirm",
    operation_id="confirm_booking",
    summary="Confirm a hold",
    responses={200: BOOKING},
)
async def post_confirm(
    booking_id: UUID,
    body: Annotated[ConfirmBooking, json_body(ConfirmBooking)],
    if_match: IfMatch,
    asked: AskedChange,
) -> Response:
    """Turn a hold into a booking: the next step of the venue's lifecycle, which is RESERVED, PENDING (until it is paid)
    or PENDING_APPROVAL. It needs the answers that a new booking would need. A booking that is confirmed already is
    returned as it is."""
    version = seen_version(body.expected_version, if_match)
    booking, venue = await find_booking(asked.engine, asked.actor, booking_id)
    wanted = Confirmation(booking_id=booking_id, expected_version=version, answers=body.answers)
    key = asked.keyed(venue, "confirm", body, about=f"{booking_id} {version}")
    return _moved(booking, await apply(asked, venue, confirm, wanted, key))


@router.post(
    "/bookings/{booking_id}/cancel",
    operation_id="cancel_booking",
    summary="Cancel a booking",
    responses={200: BOOKING},
)
async def post_cancel(
    booking_id: UUID,
    body: Annotated[CancelBooking, json_body(CancelBooking)],
    if_match: IfMatch,
    asked: AskedChange,
) -> Response:
    """Cancel. The resources are free at once."""
    version = required_version(body.expected_version, if_match)
    step = Move(booking_id=booking_id, to=Status.CANCELLED, expected_version=version, reason=body.reason)
    booking, venue = await find_booking(asked.engine, asked.actor, booking_id)
    key = asked.keyed(venue, "cancel", body, about=f"{booking_id} {version}")
    return _moved(booking, await apply(asked, venue, move, step, key))


@router.post(
    "/bookings/{booking_id}/status",
    operation_id="change_booking_status",
    summary="Take a step of the state machine",
    responses={200: BOOKING},
)
async def post_status(
    booking_id: UUID,
    body: Annotated[MoveBooking, json_body(MoveBooking)],
    if_match: IfMatch,
    asked: AskedChange,
) -> Response:
    """Take one step of the state machine: confirm, check in, complete, convert a hold into a booking, ..."""
    version = required_version(body.expected_version, if_match)
    step = Move(
        booking_id=booking_id,
        to=body.to,
        expected_version=version,
        reason=body.reason,
        metadata=body.metadata,
    )
    booking, venue = await find_booking(asked.engine, asked.actor, booking_id)
    key = asked.keyed(venue, "status", body, about=f"{booking_id} {version}")
    return _moved(booking, await apply(asked, venue, move, step, key))


async def find_booking(engine: Engine, actor: Actor, booking_id: UUID) -> tuple[Booking, Venue]:
    """Returns a booking that the caller may see, and its venue. Raises NotFound."""
    booking = await engine.read(actor, store.find, booking_id)
    require_visible(booking, actor)
    return booking, await engine.places.venue(booking.venue_id)


async def apply(
    asked: Asked,
    venue: Venue,
    verb: Callable[..., Awaitable[Booking]],
    wanted: Change | Move | Confirmation | ItemCancellation,
    key: Keyed | None,
) -> Done[Booking]:
    """Runs the verb and returns the changed booking, and the reply as the caller may see it."""
    return await asked.engine.change_once(
        asked.actor,
        venue,
        verb,
        wanted,
        key=key,
        show=lambda booking, current: as_json(booking, current, asked.actor),
        traceparent=asked.traceparent,
    )


def _moved(before: Booking, done: Done[Booking]) -> Response:
    if done.value is not None and done.value.version > before.version:
        count_moved(before, done.value.status)
    return show_reply(done.reply)


def count_moved(booking: Booking, to: Status) -> None:
    """Counts a step. `booking`: as it was before the step."""
    MOVED.labels(to).inc()
    if booking.status is Status.HELD and to in OCCUPYING:
        HOLDS.labels("converted").inc()
