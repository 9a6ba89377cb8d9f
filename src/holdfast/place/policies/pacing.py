"""How many may arrive in a part of the day."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictInt, model_validator

from holdfast.kernel.body import Problem, refuse
from holdfast.place.opening.spans import Day, Rule, WallEnd, WallTime

BookingSource = Literal["web", "phone", "email", "walk_in", "partner", "api", "import", "waitlist"]
SlotName = Annotated[str, Field(min_length=1, max_length=63)]


class PacingRule(Rule):
    """A bound on what arrives in a part of an opening day. A condition that is left out is met by every booking."""

    covers_max: StrictInt | None = Field(default=None, ge=1, le=100_000)
    """Guests who may arrive."""
    parties_max: StrictInt | None = Field(default=None, ge=1, le=100_000)
    """Parties that may arrive."""
    start: WallTime | None = None
    """They arrive at or after this wall time, HH:MM. Without `start` and `end`: at any time of the opening day."""
    end: WallEnd | None = None
    """They arrive before this wall time, HH:MM. If it is not after `start`, it means the next day."""
    days: tuple[Day, ...] | None = Field(default=None, min_length=1, max_length=7)
    """Days of the week, MO to SU, of the opening day."""
    slots: tuple[SlotName, ...] | None = Field(default=None, min_length=1, max_length=100)
    """Slots. The bound is for each of them."""
    sources: tuple[BookingSource, ...] | None = Field(default=None, min_length=1, max_length=8)
    """Sources of bookings: only bookings from these are bound, and counted."""

    @model_validator(mode="after")
    def _bounds_something(self) -> PacingRule:
        if self.covers_max is None and self.parties_max is None:
            refuse("PacingRule", [Problem(("covers_max",), None, "is required, or parties_max, or both")])
        return self
