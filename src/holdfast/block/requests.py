"""Request bodies about blocks."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field, model_validator

from holdfast.block import define
from holdfast.block.model import Kind
from holdfast.booking.routes.fields import Key, Version
from holdfast.booking.routes.requests import Day, Instant, ResourceIds
from holdfast.kernel.body import Body
from holdfast.kernel.ids import new_id
from holdfast.kernel.text import line, lines
from holdfast.place.opening.parse_rrule import TEXT_CHARS_MAX

REASON_CHARS_MAX = 500
MAY_NAME_SOMEBODY = frozenset({"reason"})


class CreateBlock(Body):
    """Time to take off resources of a venue."""

    unsaid: ClassVar[frozenset[str]] = MAY_NAME_SOMEBODY

    venue_id: UUID
    resource_ids: ResourceIds
    """The resources to block, each with all its units."""
    start: Instant
    """The start of the first occurrence, RFC 3339 with an offset."""
    end: Instant
    """The end of the first occurrence, RFC 3339 with an offset."""
    reason: lines(REASON_CHARS_MAX)  # pyright: ignore[reportInvalidTypeForm]
    """For staff only. Guests are told that it is closed for maintenance."""
    kind: Kind = "maintenance"
    rrule: line(TEXT_CHARS_MAX) | None = Field(  # pyright: ignore[reportInvalidTypeForm]
        default=None, examples=["FREQ=WEEKLY;BYDAY=WE;UNTIL=20271231"]
    )
    """How it repeats: FREQ (DAILY, WEEKLY, MONTHLY), INTERVAL, BYDAY (with WEEKLY) and UNTIL or COUNT of RFC 5545,
    for at most two years from now. If omitted, once."""
    on_conflict: Literal["refuse", "displace"] = "refuse"
    """What happens if bookings are in the way: the block is refused, or it displaces them."""
    idempotency_key: Key | None = None  # pyright: ignore[reportInvalidTypeForm]
    """Alternative to the Idempotency-Key header."""

    def wanted(self) -> define.NewBlock:
        """Returns the requested block, with a new id."""
        return define.NewBlock(
            id=new_id(),
            resource_ids=self.resource_ids,
            start=self.start,
            end=self.end,
            reason=self.reason,
            kind=self.kind,
            rrule=self.rrule,
            on_conflict=self.on_conflict,
        )


class ChangeBlock(Body):
    """What to change about a block. Omitted fields stay as they are."""

    unsaid: ClassVar[frozenset[str]] = MAY_NAME_SOMEBODY

    cancelled_from: Day | None = None
    """Occurrences on or after this local date are cancelled. It can be moved earlier but not later."""
    reason: lines(REASON_CHARS_MAX) | None = None  # pyright: ignore[reportInvalidTypeForm]
    expected_version: Version | None = None
    """The version of the block that you last read; or send If-Match."""

    @model_validator(mode="after")
    def _changes_something(self) -> ChangeBlock:
        if self.cancelled_from is None and self.reason is None:
            raise ValueError("give cancelled_from (a date) or reason: nothing else can be changed in a block")
        return self
