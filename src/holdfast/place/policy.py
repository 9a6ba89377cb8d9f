"""The rules of a venue, one validated document with a default for everything; and its prices: the first rule that
matches a booking wins."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, model_validator

from holdfast.kernel.body import Problem, refuse
from holdfast.kernel.text import LINE_PATTERN, one_line, unless_stored
from holdfast.place.opening.spans import DAY_MINUTES, Day, Rule, WallEnd, WallTime

DURATION_MINUTES_LIMIT = 366 * DAY_MINUTES
"""No venue lets a booking be longer than this."""
AMOUNT_MAX = Decimal("9999999999.9999")
"""No price is higher, in any currency."""
DECIMAL_CHARS_MAX = 32
"""No decimal needs more characters."""


def _decimal_text(value: Any) -> Any:
    # Floats are refused: 0.1 + 0.2 is not how people count money.
    if _is_decimal(value) or type(value) is int:
        return value
    raise ValueError("must be a decimal string such as '12.50'")


def _is_decimal(value: Any) -> bool:
    return isinstance(value, Decimal) or (isinstance(value, str) and len(value) <= DECIMAL_CHARS_MAX)


DecimalText = Annotated[str, Field(max_length=DECIMAL_CHARS_MAX)]
Amount = Annotated[
    Decimal,
    Field(ge=0, le=AMOUNT_MAX, max_digits=14, decimal_places=4, allow_inf_nan=False, examples=["12.50"]),
    BeforeValidator(
        _decimal_text, json_schema_input_type=DecimalText | Annotated[int, Field(ge=0, le=int(AMOUNT_MAX))]
    ),
]
"""Money in the venue's currency, 0 or more, as a decimal string."""


NAME_CHARS_MAX = 100


def _is_a_name(value: str) -> str:
    if not 1 <= len(value) <= NAME_CHARS_MAX:
        raise ValueError(f"must have 1 to {NAME_CHARS_MAX} characters, not {len(value)}")
    return one_line(value)


# Not bounded by Field: rules stored before there was a bound may have longer names.
Named = Annotated[
    str,
    Field(json_schema_extra={"minLength": 1, "maxLength": NAME_CHARS_MAX, "pattern": LINE_PATTERN}),
    unless_stored(_is_a_name),
]


class PriceRule(Rule):
    """A price and which bookings it is for. Conditions that are left out hold for every booking."""

    kinds: tuple[Named, ...] | None = Field(default=None, min_length=1, max_length=20)
    """Kinds of resource (`lane`, `table`, ...); one of the booking's resources is of one of them."""
    zones: tuple[Named, ...] | None = Field(default=None, min_length=1, max_length=100)
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


def _number(value: Any) -> Any:
    if _is_decimal(value) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise ValueError("must be a number from 0 to 100 such as 12.5")


Percent = Annotated[
    Decimal,
    Field(ge=0, le=100, decimal_places=4, allow_inf_nan=False),
    BeforeValidator(_number, json_schema_input_type=DecimalText | Annotated[float, Field(ge=0, le=100)]),
]
"""0 to 100, as a number or a decimal string."""


class PartyDuration(Rule):
    """How long a party of up to some size stays unless it asks for something else."""

    party_size_max: StrictInt = Field(ge=1, le=100_000)
    """Guests, at most."""
    minutes: StrictInt = Field(ge=1, le=DURATION_MINUTES_LIMIT)
    """Default duration in minutes."""


class Policy(Rule):
    """The rules of a venue. Every field has its unit in the name and a default."""

    lifecycle: Literal["instant", "deposit", "approval", "assigned"] = "instant"
    """How a booking becomes confirmed: at once, when paid, when approved, or when a place is assigned."""
    slot_step_minutes: StrictInt = Field(default=15, ge=1, le=DAY_MINUTES)
    """Bookings start on multiples of this many wall-clock minutes after opening."""
    default_duration_minutes: StrictInt = Field(default=90, ge=1, le=DURATION_MINUTES_LIMIT)
    """Length of a booking that names no end and whose party fits no entry of `durations`, minutes."""
    durations: tuple[PartyDuration, ...] = Field(default=(), max_length=50)
    """Default length per party size, smallest parties first; the first entry that fits wins."""
    duration_minutes_max: StrictInt = Field(default=60 * DAY_MINUTES, ge=1, le=DURATION_MINUTES_LIMIT)
    """The longest booking, minutes."""
    buffer_before_minutes: StrictInt = Field(default=0, ge=0, le=DAY_MINUTES)
    """Minutes before a booking in which its resources are taken too; a resource may say otherwise."""
    buffer_after_minutes: StrictInt = Field(default=0, ge=0, le=DAY_MINUTES)
    """Minutes after a booking in which its resources are taken too; a resource may say otherwise."""
    min_notice_minutes: StrictInt = Field(default=0, ge=0, le=366 * DAY_MINUTES)
    """A booking is made at least this many minutes before it starts."""
    max_advance_days: StrictInt = Field(default=365, ge=1, le=3660)
    """A booking is made at most this many days before it starts."""
    hold_ttl_seconds: StrictInt = Field(default=300, ge=1, le=7 * 86400)
    """Seconds after which a hold that nobody confirmed is given up."""
    payment_deadline_minutes: StrictInt = Field(default=30, ge=1, le=30 * DAY_MINUTES)
    """Minutes in which a booking that waits for payment is paid, or is given up."""
    approval_ttl_hours: StrictInt = Field(default=24, ge=1, le=24 * 90)
    """Hours in which a booking that waits for approval is decided, or is given up."""
    no_show_grace_minutes: StrictInt = Field(default=15, ge=0, le=7 * DAY_MINUTES)
    """Minutes after its start when a booking that nobody checked in is a no-show."""
    auto_no_show: StrictBool = True
    """Whether it becomes one by itself then; false: staff alone say who stayed away."""
    auto_complete: StrictBool = True
    """Whether a checked-in booking is completed by itself at its end."""
    cancellation_cutoff_minutes: StrictInt = Field(default=0, ge=0, le=366 * DAY_MINUTES)
    """Guests cancel free of charge until this many minutes before the start."""
    cancellation_fee_percent: Percent = Decimal(0)
    """Part of the total price that a later cancellation costs, percent."""
    deposit_percent: Percent = Decimal(0)
    """Part of the total price that is paid in advance, percent."""
    waitlist_enabled: StrictBool = True
    """Whether guests may queue for a time that is taken."""
    offer_ttl_seconds: StrictInt = Field(default=900, ge=1, le=7 * 86400)
    """Seconds in which an offer from the waitlist is accepted, or goes to the next."""
    pacing_covers_max: StrictInt | None = Field(default=None, ge=1, le=100_000)
    """Guests who may start within one window of 15 minutes; null: any number."""
    combination_resources_max: StrictInt = Field(default=3, ge=1, le=8)
    """Resources that may be combined for one party; 1: none are."""
    tax_percent: Percent = Decimal(0)
    """Tax that is added to prices, percent."""
    price_rules: tuple[PriceRule, ...] = Field(default=(), max_length=100)
    """Prices; the first rule that matches a booking wins, and without one it is free of charge."""
    holds_per_guest_max: StrictInt = Field(default=3, ge=1, le=1000)
    """Holds one guest may have at a time."""
    holds_per_ip_max: StrictInt = Field(default=20, ge=1, le=10_000)
    """Holds that may come from one network address at a time."""
    idempotency_ttl_hours: StrictInt = Field(default=24, ge=1, le=24 * 30)
    """Hours in which a repeated request gets the stored answer."""

    @model_validator(mode="after")
    def _durations_fit(self) -> Policy:
        refuse("Policy", [*self._unreachable(), *self._too_long()])
        return self

    def _unreachable(self) -> list[Problem]:
        sizes = [each.party_size_max for each in self.durations]
        return [
            Problem(
                ("durations", index, "party_size_max"),
                sizes[index],
                f"must be above that of the entry before ({sizes[index - 1]}): the first that fits wins",
            )
            for index in range(1, len(sizes))
            if sizes[index] <= sizes[index - 1]
        ]

    def _too_long(self) -> list[Problem]:
        allowed = f"must be at most duration_minutes_max ({self.duration_minutes_max})"
        named = [(("default_duration_minutes",), self.default_duration_minutes)]
        named += [(("durations", i, "minutes"), each.minutes) for i, each in enumerate(self.durations)]
        return [Problem(where, value, allowed) for where, value in named if value > self.duration_minutes_max]
