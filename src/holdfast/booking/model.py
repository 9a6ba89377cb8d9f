"""A booking as a value: how its status changes, and its JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from holdfast.assigning.preferences import ANYTHING, Preferences
from holdfast.booking import states
from holdfast.booking.price import lines_json, price_json
from holdfast.booking.said import ChosenBy, Details, ExtraTaken, Guest, Item
from holdfast.booking.states import EXPIRING, TRANSITIONS, InvalidTransition, Status
from holdfast.kernel.actor import Actor
from holdfast.kernel.span import Span
from holdfast.kernel.value import value
from holdfast.pacing.arrived import ArrivingParty
from holdfast.place.opening.stay import Nights
from holdfast.place.policy import Policy
from holdfast.place.venue import Venue
from holdfast.port.lines import Price


@value(kw_only=True)
class Booking:
    """One party's reservation: a row of table `booking`, whose comments in `schema.sql` describe the fields."""

    tenant_id: UUID
    id: UUID
    venue_id: UUID
    reference: str
    status: Status
    version: int
    start_at: datetime
    end_at: datetime
    local_start: datetime
    local_end: datetime
    timezone: str
    slot_id: str | None
    party_size: int
    resource_ids: tuple[UUID, ...]
    guest: Guest
    price: Price
    details: Details
    payment_intent_id: str | None = None
    payment_status: str | None = None
    inventory_reservation_id: str | None = None
    idempotency_key: str | None = None
    hold_ip: str | None = None
    cancellation_reason: str | None = None
    cancelled_by: str | None = None
    expires_at: datetime | None = None
    due_at: datetime | None = None
    created_at: datetime
    updated_at: datetime
    confirmed_at: datetime | None = None
    cancelled_at: datetime | None = None
    checked_in_at: datetime | None = None
    completed_at: datetime | None = None
    shared_facility_owner_tenant_id: UUID | None = None
    extras: tuple[ExtraTaken, ...] = ()
    discount_code: str | None = None
    preferences: Preferences = ANYTHING
    chosen_by: ChosenBy = "guest"
    length_asked: bool = True
    overrides: tuple[Mapping[str, str], ...] = ()
    minutes_asked: bool = False
    nights: int | None = None
    arrival_on: date | None = None
    items: tuple[Item, ...] = ()
    booked_ip: str | None = None
    booked_groups: tuple[str, ...] = ()

    @property
    def stay_nights(self) -> Nights | None:
        """The nights of a stay; None if it is none."""
        if self.nights is None or self.arrival_on is None:
            return None
        return Nights(self.arrival_on, self.nights)

    @property
    def occupies(self) -> bool:
        return self.status in states.OCCUPYING

    @property
    def arriving(self) -> ArrivingParty:
        return ArrivingParty(self.venue_id, self.start_at, self.slot_id, self.details.source, self.party_size)

    @property
    def is_unbound(self) -> bool:
        """Whether it was promised a type, and has no resource yet."""
        return not self.resource_ids

    @property
    def span(self) -> Span:
        return Span(self.start_at, self.end_at)

    @property
    def total_minor(self) -> int:
        """The total price, in minor units of its currency."""
        return self.price.total_minor


_MINUTE = timedelta(minutes=1)
DEFAULT_POLICY = Policy()
_STAMPS = {
    Status.CONFIRMED: "confirmed_at",
    Status.CHECKED_IN: "checked_in_at",
    Status.COMPLETED: "completed_at",
    Status.CANCELLED: "cancelled_at",
}
ACTIONS = {
    Status.CONFIRMED: "confirm",
    Status.CHECKED_IN: "check_in",
    Status.COMPLETED: "complete",
    Status.CANCELLED: "cancel",
    Status.NO_SHOW: "no_show",
    Status.EXPIRED: "expire",
}


def ended(booking: Booking, to: Status, *, now: datetime, **changes: Any) -> Booking:
    """Returns the booking after a legal step to a final status. Raises InvalidTransition."""
    assert to in states.TERMINAL
    return moved(booking, to, policy=DEFAULT_POLICY, now=now, **changes)  # final statuses have no deadlines


def moved(booking: Booking, to: Status, *, policy: Policy, now: datetime, **changes: Any) -> Booking:
    """Returns the booking after a legal step, with its deadlines recomputed. Raises InvalidTransition."""
    return entered(booking, check_step(booking.status, to), policy=policy, now=now, **changes)


def check_step(from_status: Status, to_status: Status) -> Status:
    """Returns `to_status` if TRANSITIONS allows the step. Raises InvalidTransition."""
    allowed = TRANSITIONS[from_status]
    if to_status in allowed:
        return to_status
    then = f"from there it can go to {', '.join(allowed)}" if allowed else "that status is final"
    raise InvalidTransition(
        f"A booking that is {from_status} can't become {to_status}: {then}.",
        **{"from": from_status, "to": to_status, "allowed": list(allowed)},
    )


def entered(booking: Booking, status: Status, *, policy: Policy, now: datetime, **changes: Any) -> Booking:
    """Like `moved`, but doesn't check whether TRANSITIONS allows the step."""
    expires = expiry_of(status, policy=policy, now=now, start=booking.start_at)
    due = due_of(status, policy=policy, start=booking.start_at, end=booking.end_at, expires=expires)
    if stamp := _STAMPS.get(status):
        # The clock may be behind that of the check-in's server, but nobody leaves before having come.
        changes.setdefault(stamp, max(now, booking.checked_in_at or now))
    if status is not Status.HELD:
        changes["hold_ip"] = None
    if status in states.UNDONE:
        changes |= {"booked_ip": None, "booked_groups": ()}
    return replace(
        booking,
        status=status,
        version=booking.version + 1,
        expires_at=expires,
        due_at=due,
        updated_at=now,
        **changes,
    )


def expiry_of(status: Status, *, policy: Policy, now: datetime, start: datetime) -> datetime | None:
    """Returns when a booking that enters `status` now expires; None if it doesn't.

    A request for approval expires at the booking's start at the latest: after that nobody can use it.
    """
    match status:
        case Status.HELD:
            return now + timedelta(seconds=policy.hold_ttl_seconds)
        case Status.PENDING:
            return now + timedelta(minutes=policy.payment_deadline_minutes)
        case Status.PENDING_APPROVAL:
            return max(min(now + timedelta(hours=policy.approval_ttl_hours), start), now)
        case _:
            return None


def due_of(
    status: Status, *, policy: Policy, start: datetime, end: datetime, expires: datetime | None
) -> datetime | None:
    """Returns when a tick must process the booking next; None if no tick has to."""
    if status in EXPIRING:
        return expires
    if status in (Status.RESERVED, Status.CONFIRMED) and policy.auto_no_show:
        return start + policy.no_show_grace_minutes * _MINUTE
    if status is Status.CHECKED_IN and policy.auto_complete:
        return end
    return None


def initial_status(policy: Policy, *, hold: bool, seated: bool = False) -> Status:
    """Returns the status of a new booking under the venue's policy. `seated`: the party is a walk-in.

    There is no assignment pipeline yet, so an `assigned` venue assigns the best fit at once, and its bookings start
    like those of an `instant` one (docs/decisions/0006).
    """
    if seated:
        return Status.CHECKED_IN
    if hold:
        return Status.HELD
    return {"deposit": Status.PENDING, "approval": Status.PENDING_APPROVAL}.get(
        policy.lifecycle, Status.RESERVED
    )


def as_json(booking: Booking, venue: Venue, viewer: Actor) -> dict[str, Any]:
    """Returns the booking as the API shows it (spec 2.4), for `kernel.encode`. Staff also see the internal notes, and
    which rules were overruled."""
    zone = ZoneInfo(booking.timezone)
    start, end, stay, guest = booking.local_start, booking.local_end, booking.stay_nights, booking.guest
    shown = {
        "id": booking.id,
        "booking_reference": booking.reference,
        "idempotency_key": booking.idempotency_key,
        "tenant": venue.tenant_slug,
        "venue_id": booking.venue_id,
        "venue_name": venue.name,
        "venue_kind": venue.kind,
        "resource_ids": booking.resource_ids,
        "resources": resources_named(venue, booking.resource_ids),
        "group": booking.preferences.group,
        "chosen_by": booking.chosen_by,
        "slot_id": booking.slot_id,
        "start": booking.start_at.astimezone(zone),
        "end": booking.end_at.astimezone(zone),
        "booking_date": start.date(),
        "booking_time": f"{start.hour:02}:{start.minute:02}",
        "end_time": f"{end.hour:02}:{end.minute:02}",
        "arrival": booking.arrival_on,
        "departure": None if stay is None else stay.departure,
        "nights": booking.nights,
        "duration_minutes": int((booking.end_at - booking.start_at).total_seconds()) // 60,
        "party_size": booking.party_size,
        "guest_id": guest.id,
        "guest_name": guest.name,
        "guest_email": guest.email,
        "guest_phone": guest.phone,
        "status": booking.status,
        "version": booking.version,
        **price_json(booking.price),
        "extras": [{"id": each.id, "quantity": each.quantity} for each in booking.extras],
        "discount_code": booking.discount_code,
        "items": [_item_json(each, booking, venue) for each in booking.items],
        "payment_intent_id": booking.payment_intent_id,
        "payment_status": booking.payment_status,
        "inventory_reservation_id": booking.inventory_reservation_id,
        "special_requests": booking.details.special_requests,
        "source": booking.details.source,
        "metadata": booking.details.metadata,
        "answers": booking.details.answers,
        "cancellation_reason": booking.cancellation_reason,
        "cancelled_by": booking.cancelled_by,
        "created_at": booking.created_at,
        "updated_at": booking.updated_at,
        "confirmed_at": booking.confirmed_at,
        "cancelled_at": booking.cancelled_at,
        "checked_in_at": booking.checked_in_at,
        "completed_at": booking.completed_at,
        "expires_at": booking.expires_at,
        "shared_facility_owner_tenant_id": booking.shared_facility_owner_tenant_id,
        "read_only": False,
    }
    if viewer.is_staff:
        shown["internal_notes"] = booking.details.internal_notes
        shown["overrides"] = booking.overrides
    return shown


def resources_named(venue: Venue, resource_ids: Iterable[UUID]) -> list[dict[str, Any]]:
    """Returns the resources as the JSON of bookings has them, in order. Of a removed one, only the id is known."""
    found = venue.resources.get
    return [
        {"id": id_, "name": None, "slug": None, "group": None}
        if (resource := found(id_)) is None
        else {"id": id_, "name": resource.name, "slug": resource.slug, "group": resource.group}
        for id_ in resource_ids
    ]


def _item_json(item: Item, booking: Booking, venue: Venue) -> dict[str, Any]:
    return {
        "id": item.id,
        "status": Status.CANCELLED if item.is_cancelled else booking.status,
        "group": item.preferences.group,
        "chosen_by": item.chosen_by,
        "resource_ids": item.resource_ids,
        "resources": resources_named(venue, item.resource_ids),
        "party_size": item.party_size,
        "price_lines": lines_json(item.lines, booking.price.currency),
    }
