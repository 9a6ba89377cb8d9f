"""Price rules: what a booking costs, and when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, StrictInt, model_validator

from holdfast.kernel.body import Problem, refuse
from holdfast.kernel.text import free_form
from holdfast.place.opening.spans import DAY_MINUTES, CalendarDate, Day, Rule, WallEnd, WallTime
from holdfast.place.prices.amounts import Amount, Named, Percent

ATTRIBUTES_BYTES_MAX = 1024
LEAD_MINUTES_MAX = 3660 * DAY_MINUTES


def _small(attributes: dict[str, JsonValue]) -> dict[str, JsonValue]:
    size = len(json.dumps(attributes, ensure_ascii=False, separators=(",", ":")).encode())
    if size > ATTRIBUTES_BYTES_MAX:
        raise ValueError(f"must be at most {ATTRIBUTES_BYTES_MAX} bytes of JSON, not {size}")
    return attributes


Attributes = Annotated[
    dict[str, JsonValue],
    Field(min_length=1, json_schema_extra=free_form(ATTRIBUTES_BYTES_MAX)),
    AfterValidator(_small),
]


class DatedRule(Rule):
    """A part of a document that applies between two dates."""

    model_config = ConfigDict(serialize_by_alias=True)  # `from` is a word of Python's

    from_: CalendarDate | None = Field(default=None, alias="from")
    """The first date."""
    to: CalendarDate | None = None
    """The last date; it is included."""

    @model_validator(mode="after")
    def _dates_in_order(self) -> DatedRule:
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            problem = f"must not be after to ({self.to})"
            refuse(type(self).__name__, [Problem(("from",), str(self.from_), problem)])
        return self

    def includes(self, day: date) -> bool:
        """Returns whether the date is one of these."""
        return (self.from_ is None or self.from_ <= day) and (self.to is None or day <= self.to)


PriceUnit = Literal["booking", "guest", "hour", "night"]


class PriceRule(DatedRule):
    """A price and what it applies to. A condition that is left out always applies.

    Rules per hour are matched with each hour, or part of one, by its own date and wall time; rules per night with each
    night by the date on which it begins; rules per booking or guest with the start of the booking."""

    label: Named | None = None
    """What the price is called in `price_lines`. Default: the unit, such as `Night`."""
    kinds: tuple[Named, ...] | None = Field(default=None, min_length=1, max_length=20)
    """Kinds of resource (`lane`, `table`, ...). The resource is of one of these."""
    zones: tuple[Named, ...] | None = Field(default=None, min_length=1, max_length=100)
    """Zones. The resource is in one of these."""
    groups: tuple[Named, ...] | None = Field(default=None, min_length=1, max_length=100)
    """Groups. The resource is in one of these."""
    attributes: Attributes | None = None
    """Attributes. The resource has all of these, with these values."""
    slots: tuple[Named, ...] | None = Field(default=None, min_length=1, max_length=200)
    """Ids of slots. The booking is for one of these."""
    party_size_min: StrictInt | None = Field(default=None, ge=1, le=100_000)
    """The smallest party, guests."""
    party_size_max: StrictInt | None = Field(default=None, ge=1, le=100_000)
    """The largest party, guests."""
    days: tuple[Day, ...] | None = Field(default=None, min_length=1, max_length=7)
    """Days of the week, MO to SU. A window that crosses midnight belongs to the day it starts on."""
    start: WallTime | None = None
    """The wall time at which the window starts, HH:MM. Default: 00:00."""
    end: WallEnd | None = None
    """The wall time at which the window ends, HH:MM. If it is not after `start`, it means the next day. Default:
    24:00."""
    lead_minutes_min: StrictInt | None = Field(default=None, ge=0, le=LEAD_MINUTES_MAX)
    """The booking is made, or changed, at least this many minutes before it starts."""
    lead_minutes_max: StrictInt | None = Field(default=None, ge=0, le=LEAD_MINUTES_MAX)
    """The booking is made, or changed, at most this many minutes before it starts."""
    per: PriceUnit
    """The unit that the amount is for: the booking, a guest, an hour or a night."""
    amount: Amount
    """The price of one unit in the venue's currency, as a decimal string; with or without tax as the policy's
    `tax_included` says."""
    tax_percent: Percent | None = None
    """Its tax, percent. Default: the policy's."""

    @model_validator(mode="after")
    def _in_order(self) -> PriceRule:
        refuse("PriceRule", [*self._reversed("party_size"), *self._reversed("lead_minutes")])
        return self

    def _reversed(self, name: str) -> Iterator[Problem]:
        low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
        if low is not None and high is not None and low > high:
            yield Problem((f"{name}_min",), low, f"must be at most {name}_max ({high})")
