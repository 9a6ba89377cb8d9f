"""The rules of a venue: one validated document in which everything has a default. For prices, the first rule that
matches a booking wins."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, model_validator

from holdfast.kernel.body import Problem, refuse
from holdfast.kernel.text import LINE_PATTERN, one_line, unless_stored
from holdfast.place.opening.spans import DAY_MINUTES, Day, Rule, WallEnd, WallTime
from holdfast.place.policies.overrides import MayOverride

DURATION_MINUTES_LIMIT = 366 * DAY_MINUTES
"""The longest booking that any policy can allow."""
AMOUNT_MAX = Decimal("9999999999.9999")
"""The highest price, in any currency."""
DECIMAL_CHARS_MAX = 32
"""Enough for every decimal that is allowed here."""


def _decimal_text(value: Any) -> Any:
    # No floats: 0.1 + 0.2 is not 0.3.
    if _is_decimal(value) or type(value) is int:
        return value
    raise ValueError("must be a decimal string such as '12.50'")


def _is_decimal(value: Any) -> bool:
    return isinstance(value, Decimal) or (isinstance(value, str) and len(value) <= DECIMAL_CHARS_MAX)


DecimalText = Annotated[str, Field(max_length=DECIMAL_CHARS_MAX, examples=["10"])]
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


# The limit is not in Field: rules that were stored before it existed may have longer names.
Named = Annotated[
    str,
    Field(json_schema_extra={"minLength": 1, "maxLength": NAME_CHARS_MAX, "pattern": LINE_PATTERN}),
    unless_stored(_is_a_name),
]


class PriceRule(Rule):
    """A price and the bookings that it applies to. A condition that is left out is met by every booking."""

    kinds: tuple[Named, ...] | None = Field(default=None, min_length=1, max_length=20)
    """Kinds of resource (`lane`, `table`, ...). At least one of the booking's resources is of one of these."""
    zones: tuple[Named, ...] | None = Field(default=None, min_length=1, max_length=100)
    """Zones. At least one of the booking's resources is in one of these."""
    party_size_min: StrictInt | None = Field(default=None, ge=1, le=100_000)
    """The smallest party, guests."""
    party_size_max: StrictInt | None = Field(default=None, ge=1, le=100_000)
    """The largest party, guests."""
    days: tuple[Day, ...] | None = Field(default=None, min_length=1, max_length=7)
    """Days of the week, MO to SU. A window that crosses midnight belongs to the day it starts on."""
    start: WallTime | None = None
    """The booking starts at or after this wall time, HH:MM. Default: 00:00."""
    end: WallEnd | None = None
    """The booking starts before this wall time, HH:MM. If it is not after `start`, it means the next day."""
    per: Literal["booking", "guest", "hour", "night"]
    """The unit that the amount is for: the booking, a guest, an hour (or part of one) or a night."""
    amount: Amount
    """The price of one unit before tax, in the venue's currency, as a decimal string."""

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
    """The default duration for parties up to a size."""

    party_size_max: StrictInt = Field(ge=1, le=100_000)
    """The largest party, guests."""
    minutes: StrictInt = Field(ge=1, le=DURATION_MINUTES_LIMIT)
    """Default duration in minutes."""


class Policy(Rule):
    """The rules of a venue. Every field has a default, and its unit in its name."""

    lifecycle: Literal["instant", "deposit", "approval", "assigned"] = "instant"
    """When a booking is confirmed: at once, when it is paid, when it is approved, or when it is assigned resources."""
    slot_step_minutes: StrictInt = Field(default=15, ge=1, le=DAY_MINUTES)
    """Bookings start on multiples of this many wall-clock minutes after opening."""
    default_duration_minutes: StrictInt = Field(default=90, ge=1, le=DURATION_MINUTES_LIMIT)
    """Default duration of a booking whose party fits no entry of `durations`, minutes."""
    durations: tuple[PartyDuration, ...] = Field(default=(), max_length=50)
    """Default durations by party size, smallest parties first; the first entry that fits wins."""
    duration_minutes_max: StrictInt = Field(default=60 * DAY_MINUTES, ge=1, le=DURATION_MINUTES_LIMIT)
    """The longest booking allowed, minutes."""
    duration_minutes_min: StrictInt = Field(default=1, ge=1, le=DURATION_MINUTES_LIMIT)
    """The shortest booking that may be asked for, minutes."""
    duration_step_minutes: StrictInt = Field(default=1, ge=1, le=DAY_MINUTES)
    """A length that is asked for is a multiple of this many minutes. The usual length is always allowed."""
    guests_choose_duration: StrictBool = True
    """Whether guests may ask for a length; false: they get the usual one, and staff may give any."""
    buffer_before_minutes: StrictInt = Field(default=0, ge=0, le=DAY_MINUTES)
    """Minutes before a booking that its claims also cover, unless the resource has its own value."""
    buffer_after_minutes: StrictInt = Field(default=0, ge=0, le=DAY_MINUTES)
    """Minutes after a booking that its claims also cover, unless the resource has its own value."""
    min_notice_minutes: StrictInt = Field(default=0, ge=0, le=366 * DAY_MINUTES)
    """A booking must be made at least this many minutes before it starts."""
    max_advance_days: StrictInt = Field(default=365, ge=1, le=3660)
    """A booking can be made at most this many days before it starts."""
    hold_ttl_seconds: StrictInt = Field(default=300, ge=1, le=7 * 86400)
    """Seconds after which an unconfirmed hold expires."""
    payment_deadline_minutes: StrictInt = Field(default=30, ge=1, le=30 * DAY_MINUTES)
    """Minutes after which an unpaid booking expires."""
    approval_ttl_hours: StrictInt = Field(default=24, ge=1, le=24 * 90)
    """Hours after which a booking that is still waiting for approval expires."""
    no_show_grace_minutes: StrictInt = Field(default=15, ge=0, le=7 * DAY_MINUTES)
    """Minutes after its start from which a booking without a check-in counts as a no-show."""
    auto_no_show: StrictBool = True
    """Whether no-shows are marked automatically; false: only staff mark them."""
    auto_complete: StrictBool = True
    """Whether a checked-in booking is completed automatically at its end."""
    cancellation_cutoff_minutes: StrictInt = Field(default=0, ge=0, le=366 * DAY_MINUTES)
    """Guests can cancel free of charge until this many minutes before the start."""
    cancellation_fee_percent: Percent = Decimal(0)
    """The fee for cancelling after the cut-off, percent of the total price."""
    deposit_percent: Percent = Decimal(0)
    """The part of the total price that is paid in advance, percent."""
    waitlist_enabled: StrictBool = True
    """Whether guests can join a waitlist for a time that is taken."""
    offer_ttl_seconds: StrictInt = Field(default=900, ge=1, le=7 * 86400)
    """Seconds after which an offer that was not accepted lapses, and the next entry of the waitlist gets it."""
    pacing_covers_max: StrictInt | None = Field(default=None, ge=1, le=100_000)
    """Guests who may arrive within one window of 15 minutes; null: any number."""
    combination_resources_max: StrictInt = Field(default=3, ge=1, le=8)
    """How many resources may be combined for one party; 1: no combinations."""
    tax_percent: Percent = Decimal(0)
    """Tax added to prices, percent."""
    price_rules: tuple[PriceRule, ...] = Field(default=(), max_length=100)
    """Prices. The first rule that matches a booking wins; a booking that no rule matches is free of charge."""
    holds_per_guest_max: StrictInt = Field(default=3, ge=1, le=1000)
    """How many holds a guest may have at a time."""
    holds_per_ip_max: StrictInt = Field(default=20, ge=1, le=10_000)
    """How many holds may exist at a time from one IP address."""
    may_override: MayOverride = MayOverride()
    """Which rules staff may overrule, by role."""
    idempotency_ttl_hours: StrictInt = Field(default=24, ge=1, le=24 * 30)
    """Hours during which a request repeated with the same idempotency key gets the stored response."""

    @model_validator(mode="after")
    def _durations_fit(self) -> Policy:
        refuse("Policy", [*self._unreachable(), *self._out_of_range()])
        return self

    def _unreachable(self) -> list[Problem]:
        sizes = [each.party_size_max for each in self.durations]
        return [
            Problem(
                ("durations", index, "party_size_max"),
                sizes[index],
                f"must be greater than that of the previous entry ({sizes[index - 1]}): the first that fits wins",
            )
            for index in range(1, len(sizes))
            if sizes[index] <= sizes[index - 1]
        ]

    def _out_of_range(self) -> list[Problem]:
        most, least = self.duration_minutes_max, self.duration_minutes_min
        if least > most:
            problem = f"must be at most duration_minutes_max ({most})"
            return [Problem(("duration_minutes_min",), least, problem)]
        named = [(("default_duration_minutes",), self.default_duration_minutes)]
        named += [(("durations", i, "minutes"), each.minutes) for i, each in enumerate(self.durations)]
        allowed = f"must be at most duration_minutes_max ({most})"
        needed = f"must be at least duration_minutes_min ({least})"
        return [
            Problem(where, value, allowed if value > most else needed)
            for where, value in named
            if not least <= value <= most
        ]
