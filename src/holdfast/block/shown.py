"""Responses about blocks, as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, JsonValue

from holdfast.block.model import Action, Kind
from holdfast.booking.states import Status


class BlockShown(BaseModel):
    """A block. `start`, `end`: of the first occurrence. `first_start`, `last_end`: of all that it claims. Each has
    the offset of its `timezone` at that time."""

    id: UUID
    tenant: str
    venue_id: UUID
    kind: Kind
    reason: str
    resource_ids: list[UUID]
    start: datetime
    end: datetime
    timezone: str
    rrule: str | None
    cancelled_from: date | None
    removed_at: datetime | None
    first_start: datetime
    last_end: datetime
    created_by: str
    version: int
    created_at: datetime
    updated_at: datetime


class BookingHit(BaseModel):
    """A booking that a block overlaps."""

    id: UUID
    booking_reference: str
    status: Status
    start: datetime
    end: datetime
    resource_ids: list[UUID]
    party_size: int
    version: int


class BlockMade(BlockShown):
    """A new block, with the bookings it displaced."""

    displaced: list[BookingHit]


class BlockHistoryEntry(BaseModel):
    """One change of a block: who did what, and when. `changes`: field -> new value."""

    version: int
    actor: str
    action: Action
    changes: dict[str, JsonValue]
    created_at: datetime


class BlockWithHistory(BlockShown):
    """A block with its history, oldest first."""

    history: list[BlockHistoryEntry]


class BlockList(BaseModel):
    """A page of blocks. `next`: the cursor of the next page."""

    items: list[BlockShown]
    next: str | None


class BlockOccurrenceShown(BaseModel):
    """One occurrence of a block. `on`: the local date on which it starts."""

    on: date
    start: datetime
    end: datetime


class BlockHit(BaseModel):
    """Another block that a block overlaps. `start`, `end`: of its first occurrence in the way."""

    id: UUID
    kind: Kind
    reason: str
    start: datetime
    end: datetime
    resource_ids: list[UUID]


class BlockPreview(BaseModel):
    """A block's occurrences, and what is in their way. `bookings`: the first hundred. `blocks`: the first twenty."""

    rrule: str | None
    timezone: str
    occurrences: list[BlockOccurrenceShown]
    bookings: list[BookingHit]
    bookings_total: int
    blocks: list[BlockHit]
    can_displace: bool


class BlockedInterval(BaseModel):
    """A span for which a block takes the resource off the inventory."""

    block_id: UUID
    kind: Kind
    reason: str
    start: datetime
    end: datetime


class BlockedIntervals(BaseModel):
    """When a resource is blocked, in order. `next`: always null, since the response covers the whole range."""

    resource_id: UUID
    items: list[BlockedInterval]
    next: str | None


Response = dict[str, Any]
_ETAG = {"ETag": {"schema": {"type": "string"}, "description": "Its version, for If-Match."}}
MADE: Response = {"model": BlockMade, "description": "The block.", "headers": _ETAG}
BLOCK: Response = {"model": BlockShown, "description": "The block.", "headers": _ETAG}
WITH_HISTORY: Response = {
    "model": BlockWithHistory,
    "description": "The block, with its history.",
    "headers": _ETAG,
}
BLOCKS: Response = {"model": BlockList, "description": "A page of blocks."}
PREVIEW: Response = {"model": BlockPreview, "description": "Its occurrences, and what they would overlap."}
EXPANDED: Response = {"model": BlockedIntervals, "description": "When the resource is blocked."}
