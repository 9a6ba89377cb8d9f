"""What clients send about blocks."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field, model_validator

from holdfast.block import define
from holdfast.block.model import Kind
from holdfast.booking.routes.requests import Day, Instant, Key, ResourceIds, Version
from holdfast.kernel.body import Body
from holdfast.kernel.ids import new_id
from holdfast.kernel.text import line, lines
from holdfast.place.opening.parse_rrule import TEXT_CHARS_MAX

REASON_CHARS_MAX = 500
MAY_NAME_SOMEBODY = frozenset({"reason"})


class CreateBlock(Body):
    """Time that is to be taken off resources of a venue."""

    unsaid: ClassVar[frozenset[str]] = MAY_NAME_SOMEBODY

    venue_id: UUID
    resource_ids: ResourceIds
    """What is blocked, with all its units."""
    start: Instant
    """Instant at which it starts the first time, RFC 3339 with an offset."""
    end: Instant
    """Instant at which it ends the first time, RFC 3339 with an offset."""
    reason: lines(REASON_CHARS_MAX)  # pyright: ignore[reportInvalidTypeForm]
    """For staff; guests read that it is closed for maintenance."""
    kind: Kind = "maintenance"
    rrule: line(TEXT_CHARS_MAX) | None = Field(  # pyright: ignore[reportInvalidTypeForm]
        default=None, examples=["FREQ=WEEKLY;BYDAY=WE;UNTIL=20271231"]
    )
    """How it repeats: FREQ (DAILY, WEEKLY, MONTHLY), INTERVAL, BYDAY (with WEEKLY) and UNTIL or COUNT of RFC 5545,
    for at most two years from now. Left out: once."""
    on_conflict: Literal["refuse", "displace"] = "refuse"
    """What becomes of bookings at that time: they refuse the block, or they lose their place to it."""
    idempotency_key: Key | None = None  # pyright: ignore[reportInvalidTypeForm]
    """In place of the header Idempotency-Key."""

    def wanted(self) -> define.NewBlock:
        """The block as it is wanted, with an id of its own."""
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
    """What is to be different about a block; what is left out stays as it is."""

    unsaid: ClassVar[frozenset[str]] = MAY_NAME_SOMEBODY

    cancelled_from: Day | None = None
    """Local date from which on its occurrences are gone; it can be moved earlier, not later."""
    reason: lines(REASON_CHARS_MAX) | None = None  # pyright: ignore[reportInvalidTypeForm]
    expected_version: Version | None = None
    """The version you saw; or If-Match."""

    @model_validator(mode="after")
    def _changes_something(self) -> ChangeBlock:
        if self.cancelled_from is None and self.reason is None:
            raise ValueError("give cancelled_from (a date) or reason: nothing else of a block can be changed")
        return self
