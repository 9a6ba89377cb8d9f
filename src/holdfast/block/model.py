"""A block as a value, its history, its events and its JSON."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from holdfast.channel.names import BOOKINGS
from holdfast.event.model import Event
from holdfast.kernel.ids import new_id
from holdfast.place.opening.hours import instant_of
from holdfast.place.venue import Venue

OWNER_KIND = "block"
Kind = Literal["maintenance", "vip_override", "private_event", "host_operations"]
Action = Literal["create", "update", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Time taken off resources of a venue: the row of table `block`.

    `local_start`, `local_end`: of the first occurrence, in wall time of `timezone`, which was the venue's when the
    block was created. `rrule`: how it repeats, in canonical form; None: once. `cancelled_from`: occurrences on or
    after that local date are cancelled. `removed_at`: occurrences that were not over by then are cancelled.
    `first_at`, `last_at`: the start of the first occurrence that it ever claimed, and the end of the last.
    """

    tenant_id: UUID
    id: UUID
    venue_id: UUID
    kind: Kind
    reason: str
    resource_ids: tuple[UUID, ...]
    local_start: datetime
    local_end: datetime
    timezone: str
    rrule: str | None = None
    cancelled_from: date | None = None
    removed_at: datetime | None = None
    created_by: str
    version: int = 1
    first_at: datetime
    last_at: datetime
    created_at: datetime
    updated_at: datetime

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


COLUMNS = tuple(each.name for each in fields(Block))


@dataclass(frozen=True, slots=True)
class BlockStep:
    """One entry of a block's history, with the block after it. `changes`: field -> new value."""

    block: Block
    action: Action
    actor: str
    changes: dict[str, Any] = field(default_factory=dict)
    traceparent: str | None = None

    def history(self) -> dict[str, Any]:
        """Returns the row for table `block_history`."""
        return {
            "tenant_id": self.block.tenant_id,
            "block_id": self.block.id,
            "version": self.block.version,
            "actor": self.actor,
            "action": self.action,
            "changes": self.changes,
            "created_at": self.block.updated_at,
        }

    def event(self) -> Event:
        """Returns its event, on the venue's channel `bookings`."""
        block = self.block
        return Event(
            id=new_id(),
            tenant_id=block.tenant_id,
            event_type=EVENT_TYPES[self.action],
            venue_id=block.venue_id,
            subject_id=block.id,
            payload={
                "block_id": block.id,
                "venue_id": block.venue_id,
                "resource_ids": block.resource_ids,
                "kind": block.kind,
                "reason": block.reason,
                "rrule": block.rrule,
                "cancelled_from": block.cancelled_from,
                "start": block.first_at,
                "end": block.last_at,
                "version": block.version,
            },
            actor=self.actor,
            created_at=block.updated_at,
            traceparent=self.traceparent,
            channel=BOOKINGS,
        )


EVENT_TYPES: dict[Action, str] = {
    "create": "block.created",
    "update": "block.updated",
    "remove": "block.cancelled",
}


def as_json(block: Block, venue: Venue) -> dict[str, Any]:
    """Returns the block as staff see it. `start`, `end`: of the first occurrence, in the block's time zone."""
    zone = block.tz
    return {
        "id": block.id,
        "tenant": venue.tenant_slug,
        "venue_id": block.venue_id,
        "kind": block.kind,
        "reason": block.reason,
        "resource_ids": block.resource_ids,
        "start": instant_of(block.local_start, zone).astimezone(zone),
        "end": instant_of(block.local_end, zone).astimezone(zone),
        "timezone": block.timezone,
        "rrule": block.rrule,
        "cancelled_from": block.cancelled_from,
        "removed_at": block.removed_at,
        "first_start": block.first_at.astimezone(zone),
        "last_end": block.last_at.astimezone(zone),
        "created_by": block.created_by,
        "version": block.version,
        "created_at": block.created_at,
        "updated_at": block.updated_at,
    }
