"""The answers about blocks, as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, JsonValue

from holdfast.block.model import Action, Kind
from holdfast.booking.states import Status


class BlockShown(BaseModel):
    """A block. `start` and `end` are of the first time, `first_start` and `last_end` of all that it takes, each
    with the venue's offset then."""

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
    """A booking at the time of a block."""

    id: UUID
    booking_reference: str
    status: Status
    start: datetime
    end: datetime
    resource_ids: list[UUID]
    party_size: int
    version: int


class BlockMade(BlockShown):
    """A new block, with the bookings that lost their place to it."""

    displaced: list[BookingHit]


class BlockHistoryEntry(BaseModel):
    """One change of a block: who did what when; `changes`: field -> what it became."""

    version: int
    actor: str
    action: Action
    changes: dict[str, JsonValue]
    created_at: datetime


class BlockTold(BlockShown):
    """A block with its history, oldest first."""

    history: list[BlockHistoryEntry]


class BlockList(BaseModel):
    """A page of blocks; `next` is the cursor of the next one."""

    items: list[BlockShown]
    next: str | None


class BlockOccurrenceShown(BaseModel):
    """One time that a block would take; `on`: the local date on which it starts."""

    on: date
    start: datetime
    end: datetime


class BlockHit(BaseModel):
    """Another block at the time of a block; `start`, `end`: of the first time they meet."""

    id: UUID
    kind: Kind
    reason: str
    start: datetime
    end: datetime
    resource_ids: list[UUID]


class BlockPreview(BaseModel):
    """What a block would be: its occurrences, and what is there. `bookings` and `blocks` are the first of them."""

    rrule: str | None
    timezone: str
    occurrences: list[BlockOccurrenceShown]
    bookings: list[BookingHit]
    bookings_total: int
    blocks: list[BlockHit]
    can_displace: bool


class BlockedInterval(BaseModel):
    """A stretch of time that a block takes off the resource."""

    block_id: UUID
    kind: Kind
    reason: str
    start: datetime
    end: datetime


class BlockedIntervals(BaseModel):
    """When a resource is blocked, in order; `next` is always null, since all of the range is told."""

    resource_id: UUID
    items: list[BlockedInterval]
    next: str | None


Response = dict[str, Any]
_ETAG = {"ETag": {"schema": {"type": "string"}, "description": "Its version, for If-Match."}}
MADE: Response = {"model": BlockMade, "description": "The block.", "headers": _ETAG}
BLOCK: Response = {"model": BlockShown, "description": "The block.", "headers": _ETAG}
TOLD: Response = {"model": BlockTold, "description": "The block, with its history.", "headers": _ETAG}
BLOCKS: Response = {"model": BlockList, "description": "A page of blocks."}
PREVIEW: Response = {"model": BlockPreview, "description": "What it would be, and whom it would hit."}
EXPANDED: Response = {"model": BlockedIntervals, "description": "When the resource is blocked."}
