"""What guests may have at a time, so that one does not take everything."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, StrictInt, model_validator

from holdfast.kernel.actor import GROUP_PATTERN
from holdfast.kernel.body import Problem, refuse
from holdfast.place.opening.spans import Rule
from holdfast.place.prices.amounts import DECIMAL_CHARS_MAX, DecimalText

HOURS_MAX = 1_000
Per = Literal["guest", "group", "address"]
GroupName = Annotated[str, Field(pattern=f"^{GROUP_PATTERN}$")]


def _number(value: Any) -> Any:
    is_text = isinstance(value, str) and len(value) <= DECIMAL_CHARS_MAX
    if is_text or (isinstance(value, int | float | Decimal) and not isinstance(value, bool)):
        return value
    raise ValueError("must be a number of hours such as 6 or 1.5")


def _plain(value: Decimal) -> int | float:
    return int(value) if value == int(value) else float(value)


HoursAWeek = Annotated[
    Decimal,
    Field(gt=0, le=HOURS_MAX, decimal_places=2, allow_inf_nan=False),
    BeforeValidator(
        _number, json_schema_input_type=DecimalText | Annotated[float, Field(gt=0, le=HOURS_MAX)]
    ),
    PlainSerializer(_plain, return_type=float, when_used="json"),
]
"""Hours, as a number or a decimal string."""


class FairUseRule(Rule):
    """What a guest, a group of guests or an address may have at a time. For each of these three, the first rule that
    matches the guest counts."""

    per: Per
    """What is bound, and counted together: each signed-in guest, each of the `groups`, or each network address."""
    groups: tuple[GroupName, ...] | None = Field(default=None, min_length=1, max_length=20)
    """Guests whose token names one of these groups; null: all guests. Required per group."""
    open_bookings_max: StrictInt | None = Field(default=None, ge=1, le=10_000)
    """Bookings that are still to come or going on, holds and those that wait for payment or approval included."""
    hours_per_week_max: HoursAWeek | None = None
    """Hours booked in a week, Monday to Sunday, by the start of each booking."""
    days_ahead_max: StrictInt | None = Field(default=None, ge=0, le=3660)
    """Days from today to the day of the booking; 0: today alone."""
    at_once_max: StrictInt | None = Field(default=None, ge=1, le=10_000)
    """Bookings that overlap; 1: no two at once."""

    @model_validator(mode="after")
    def _bounds_something(self) -> FairUseRule:
        bounds = (self.open_bookings_max, self.hours_per_week_max, self.days_ahead_max, self.at_once_max)
        problems = list[Problem]()
        if all(each is None for each in bounds):
            others = "hours_per_week_max, days_ahead_max or at_once_max"
            problems.append(Problem(("open_bookings_max",), None, f"is required, or {others}"))
        if self.per == "group" and self.groups is None:
            problems.append(Problem(("groups",), None, "is required per group: name the groups"))
        refuse("FairUseRule", problems)
        return self

    def matches(self, groups: Collection[str]) -> bool:
        """Returns whether the rule is for a guest in these groups."""
        return self.groups is None or any(each in self.groups for each in groups)

    @property
    def counts(self) -> bool:
        """Whether it depends on other bookings."""
        bounds = (self.open_bookings_max, self.hours_per_week_max, self.at_once_max)
        return any(each is not None for each in bounds)
