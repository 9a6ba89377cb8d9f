"""What a booking costs: rules of a venue, the first that matches wins."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictInt, model_validator

from holdfast.kernel.validation import Problem, refuse
from holdfast.place.opening import DAY_MINUTES, DAYS, Day, Rule, WallEnd, WallTime, minutes_of


def _decimal_text(value: Any) -> Any:
    # Floats are refused: 0.1 + 0.2 is not how people count money.
    if isinstance(value, str | Decimal) or type(value) is int:
        return value
    raise ValueError("must be a decimal string such as '12.50'")


Amount = Annotated[
    Decimal,
    BeforeValidator(_decimal_text),
    Field(ge=0, max_digits=14, decimal_places=4, allow_inf_nan=False, examples=["12.50"]),
]
"""Money in the venue's currency, 0 or more, as a decimal string."""


class PriceRule(Rule):
    """A price and which bookings it is for. Conditions that are left out hold for every booking."""

    kinds: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=20)
    """Kinds of resource (`lane`, `table`, ...); one of the booking's resources is of one of them."""
    zones: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=100)
    """Zones; one of the booking's resources is in one of them."""
    party_size_min: StrictInt | None = Field(default=None, ge=1, le=100_000)
    """Guests, at least."""
    party_size_max: StrictInt | None = Field(default=None, ge=1, le=100_000)
    """Guests, at most."""
    days: tuple[Day, ...] | None = Field(default=None, min_length=1, max_length=7)
    """Days of the week, MO to SU. After midnight a window that crosses it is still the day before's."""
    start: WallTime | None = None
    """The booking starts at or after this wall time, HH:MM; left out: from 00:00."""
    end: WallEnd | None = None
    """The booking starts before this wall time, HH:MM; at or before `start` it means the next day."""
    per: Literal["booking", "guest", "hour", "night"]
    """What the amount is multiplied by; one booking, each guest, each hour begun or each night."""
    amount: Amount
    """Price of one such unit in the venue's currency, a decimal string, before tax."""

    @model_validator(mode="after")
    def _party_in_order(self) -> PriceRule:
        low, high = self.party_size_min, self.party_size_max
        if low is not None and high is not None and low > high:
            problem = f"must be at most party_size_max ({high})"
            refuse("PriceRule", [Problem(("party_size_min",), low, problem)])
        return self

    def matches(
        self, *, kinds: frozenset[str], zones: frozenset[str], party_size: int, wall_start: datetime
    ) -> bool:
        """Whether the rule is for a booking: kinds and zones of its resources, guests, local start."""
        return (
            (self.kinds is None or not kinds.isdisjoint(self.kinds))
            and (self.zones is None or not zones.isdisjoint(self.zones))
            and (self.party_size_min or 0) <= party_size
            and (self.party_size_max is None or party_size <= self.party_size_max)
            and self._covers(wall_start)
        )

    def _covers(self, wall: datetime) -> bool:
        opens = minutes_of(self.start or "00:00")
        closes = minutes_of(self.end or "24:00")
        minute = wall.hour * 60 + wall.minute
        crosses = closes <= opens
        if opens <= minute < (DAY_MINUTES if crosses else closes):
            return self._is_day(wall)
        return crosses and minute < closes and self._is_day(wall - timedelta(days=1))

    def _is_day(self, wall: datetime) -> bool:
        return self.days is None or DAYS[wall.weekday()] in self.days
