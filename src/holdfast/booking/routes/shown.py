"""The responses about bookings, as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, JsonValue

from holdfast.booking.model import ChosenBy
from holdfast.booking.states import Status


class BookedResource(BaseModel):
    """A resource of a booking. Of one that has been removed from the venue, only the id is known."""

    id: UUID
    name: str | None
    slug: str | None
    group: str | None


class OverrideShown(BaseModel):
    """A rule that staff overruled for a booking: the code of its refusal, why, and who did."""

    code: str
    reason: str
    actor: str


class PriceLineShown(BaseModel):
    """One line of a price: how many of what, at what price. Hours have up to 6 decimals."""

    label: str
    quantity: str
    unit_price: str
    amount: str


class ExtraShown(BaseModel):
    """An extra of a booking."""

    id: str
    quantity: int


class ItemShown(BaseModel):
    """One thing of an order. `status`: that of the order, or CANCELLED."""

    id: UUID
    status: Status
    group: str | None
    chosen_by: ChosenBy
    resource_ids: list[UUID]
    resources: list[BookedResource]
    party_size: int
    price_lines: list[PriceLineShown]


class BookingShown(BaseModel):
    """A booking. `start` and `end` carry the venue's offset; `booking_date`, `booking_time` and `end_time` are the
    venue's wall time. `internal_notes` and `overrides` are for staff only."""

    id: UUID
    booking_reference: str
    idempotency_key: str | None
    tenant: str
    venue_id: UUID
    venue_name: str
    venue_kind: str
    resource_ids: list[UUID]
    resources: list[BookedResource]
    group: str | None
    chosen_by: ChosenBy
    slot_id: str | None
    start: datetime
    end: datetime
    booking_date: date
    booking_time: str
    end_time: str
    arrival: date | None
    departure: date | None
    nights: int | None
    duration_minutes: int
    party_size: int
    guest_id: str | None
    guest_name: str | None
    guest_email: str | None
    guest_phone: str | None
    status: Status
    version: int
    base_price: str
    tax_amount: str
    discount_amount: str
    total_price: str
    tax_included: bool
    currency: str
    price_source: str
    price_lines: list[PriceLineShown]
    minimum_spend: str
    deposit_amount: str
    extras: list[ExtraShown]
    discount_code: str | None
    items: list[ItemShown]
    """Of an order of several things; other bookings have none."""
    payment_intent_id: str | None
    payment_status: str | None
    inventory_reservation_id: str | None
    special_requests: str | None
    internal_notes: str | None = None
    overrides: list[OverrideShown] | None = None
    source: str
    metadata: dict[str, JsonValue]
    answers: dict[str, JsonValue]
    """Answers to the questions of the venue, by question. Personal data."""
    cancellation_reason: str | None
    cancelled_by: str | None
    created_at: datetime
    updated_at: datetime
    confirmed_at: datetime | None
    cancelled_at: datetime | None
    checked_in_at: datetime | None
    completed_at: datetime | None
    expires_at: datetime | None
    shared_facility_owner_tenant_id: UUID | None
    read_only: bool


class BookingList(BaseModel):
    """A page of bookings; `next` is the cursor of the next page."""

    items: list[BookingShown]
    next: str | None


class HistoryEntry(BaseModel):
    """One entry of a booking's history: who did what, when and why."""

    from_status: Status | None
    to_status: Status
    actor: str
    action: str
    reason: str | None
    metadata: dict[str, JsonValue]
    created_at: datetime


class HistoryList(BaseModel):
    """A page of the audit trail, oldest first."""

    items: list[HistoryEntry]
    next: str | None


DayReason = Literal[
    "CLOSED",
    "PAST",
    "TOO_SOON",
    "TOO_FAR_AHEAD",
    "PARTY_TOO_LARGE",
    "PARTY_TOO_SMALL",
    "QUOTA_EXCEEDED",
    "FULL",
]


class SlotShown(BaseModel):
    """A free span and its resources."""

    start: datetime
    end: datetime
    resource_ids: list[UUID]


class OptionItem(BaseModel):
    """The resources for one item of an order."""

    resource_ids: list[UUID]


class Option(BaseModel):
    """A set of resources that fits the party. `items`: of an order alone, the resources for each."""

    resource_ids: list[UUID]
    items: list[OptionItem] | None = None
    seats_wasted: int


class Conflict(BaseModel):
    """A claim that is in the way. `owner_kind` and `owner_id` are for staff only. `reason`: "closed for maintenance"
    for a block; "held back until" with a time for a resource that is kept for others at the time that was asked for."""

    resource_id: UUID
    resource_name: str
    start: datetime
    end: datetime
    reason: str | None = None
    owner_kind: str | None = None
    owner_id: UUID | None = None


class Quote(BaseModel):
    """The price; amounts are decimal strings. The lines add up to `base_price`. `tax_included`: whether the tax is in
    it or added to it. `minimum_spend`: what the party has to spend there; it is no part of the price. `deposit_amount`:
    what is paid in advance."""

    base_price: str
    tax_amount: str
    discount_amount: str
    total_price: str
    tax_included: bool
    currency: str
    price_source: str
    price_lines: list[PriceLineShown]
    minimum_spend: str
    deposit_amount: str


class Checked(BaseModel):
    """Whether a span is free for a party."""

    available: bool
    options: list[Option]
    price: Quote
    conflicts: list[Conflict]
    suggested_slots: list[SlotShown]
    can_join_waitlist: bool


class StartShown(SlotShown):
    """A free start; `slot_id` is set for starts of slots. `price`: the total, a decimal string; null: out of range."""

    slot_id: str | None
    price: str | None


class OpenShown(BaseModel):
    """A time for which the venue, or a resource that is asked about, is open."""

    open: datetime
    close: datetime


class DayShown(BaseModel):
    """The free starts of an opening day, in order. `reason`: why there are none."""

    date: date
    currency: str
    opening_hours: list[OpenShown]
    starts: list[StartShown]
    reason: DayReason | None


class MonthShown(BaseModel):
    """The days of a month that have a free start."""

    month: str
    days: list[date]


class FreeShown(BaseModel):
    """What is free of a type on a day. `group`: null for resources without a type. `free`: how many bookings could be
    made; `price_from`: the lowest price, null if none. The rest is about nights, where they are sold; `nights_min`: the
    shortest stay that may arrive on that date."""

    date: date
    group: str | None
    free: int
    price_from: str | None
    closed_to_arrival: bool
    closed_to_departure: bool
    nights_min: int | None


class RangeShown(BaseModel):
    """What is free on each day and of each type, in order."""

    currency: str
    items: list[FreeShown]


Response = dict[str, Any]
BOOKING: Response = {
    "model": BookingShown,
    "description": "The booking.",
    "headers": {"ETag": {"schema": {"type": "string"}, "description": "Its version, for If-Match."}},
}
BOOKINGS: Response = {"model": BookingList, "description": "A page of bookings."}
HISTORY: Response = {"model": HistoryList, "description": "A page of the audit trail."}
CHECK: Response = {"model": Checked, "description": "Whether the span is free, and alternatives."}
DAY: Response = {"model": DayShown, "description": "The free starts."}
MONTH: Response = {"model": MonthShown, "description": "The days that have a free start."}
RANGE: Response = {"model": RangeShown, "description": "What is free on each of the days."}
