"""The rules of a venue: one validated document in which everything has a default."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field, StrictBool, StrictInt, model_validator

from holdfast.kernel.body import Problem, refuse
from holdfast.place.opening.spans import DAY_MINUTES, Rule
from holdfast.place.opening.stay import NIGHTS_LIMIT, ArrivalRule, nights_in_order
from holdfast.place.policies.fair_use import FairUseRule
from holdfast.place.policies.held_back import HeldBack, problems_of_shares
from holdfast.place.policies.overrides import MayOverride
from holdfast.place.policies.pacing import PacingRule
from holdfast.place.prices.amounts import Percent
from holdfast.place.prices.rules import PriceRule
from holdfast.place.prices.sold import Discount, Extra, repeated

DURATION_MINUTES_LIMIT = 366 * DAY_MINUTES
"""The longest booking that any policy can allow."""


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
    nights_min: StrictInt = Field(default=1, ge=1, le=NIGHTS_LIMIT)
    """The shortest stay at a venue that sells nights."""
    nights_max: StrictInt | None = Field(default=None, ge=1, le=NIGHTS_LIMIT)
    """The longest stay at a venue that sells nights; null: as long as any."""
    arrival_rules: tuple[ArrivalRule, ...] = Field(default=(), max_length=200)
    """Rules for arrivals and departures on some dates of a venue that sells nights. All that match apply."""
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
    starts: Literal["any", "slots"] = "any"
    """What guests may book: any start on the step, or only slots. Staff may book any time."""
    pacing: tuple[PacingRule, ...] = Field(default=(), max_length=50)
    """Bounds on what arrives in a part of the day. All that match a booking apply."""
    pacing_covers_max: StrictInt | None = Field(default=None, ge=1, le=100_000)
    """Guests who may arrive within one window of 15 minutes; null: any number."""
    held_back: tuple[HeldBack, ...] = Field(default=(), max_length=50)
    """What is held back for some of those who book, until shortly before. Staff may book it all the same."""
    bind_group: Literal["at_once", "on_the_day", "at_check_in"] = "at_once"
    """When a booking of a type (`group`) gets its resource. Until then it has the promise of one."""
    combination_resources_max: StrictInt = Field(default=3, ge=1, le=8)
    """How many resources may be combined for one party; 1: no combinations."""
    tax_percent: Percent = Decimal(0)
    """Tax on prices, percent, unless a rule or an extra has its own."""
    tax_included: StrictBool = False
    """Whether prices include the tax; false: it is added to them."""
    hour_counting: Literal["begun", "exact"] = "begun"
    """`begun`: the last hour of a booking counts in full once it has begun; `exact`: hours count by the minute."""
    price_rules: tuple[PriceRule, ...] = Field(default=(), max_length=100)
    """Prices, in order. For each night, each hour or part of one, the first rule that matches it counts; what no rule
    matches is free of charge."""
    extras: tuple[Extra, ...] = Field(default=(), max_length=100)
    """What is sold beside places, such as shoes."""
    discounts: tuple[Discount, ...] = Field(default=(), max_length=200)
    """Discount codes. Only staff see them."""
    holds_per_guest_max: StrictInt = Field(default=3, ge=1, le=1000)
    """How many holds a guest may have at a time."""
    holds_per_ip_max: StrictInt = Field(default=20, ge=1, le=10_000)
    """How many holds may exist at a time from one IP address."""
    fair_use: tuple[FairUseRule, ...] = Field(default=(), max_length=50)
    """What a guest, a group of guests or an address may have at a time. For each, the first that matches counts."""
    may_override: MayOverride = MayOverride()
    """Which rules staff may overrule, by role."""
    idempotency_ttl_hours: StrictInt = Field(default=24, ge=1, le=24 * 30)
    """Hours during which a request repeated with the same idempotency key gets the stored response."""

    @model_validator(mode="after")
    def _sold_once(self) -> Policy:
        extras = repeated("extras", "id", [each.id for each in self.extras])
        discounts = repeated("discounts", "code", [each.code for each in self.discounts])
        refuse("Policy", [*extras, *discounts, *problems_of_shares(self.held_back)])
        return self

    @model_validator(mode="after")
    def _durations_fit(self) -> Policy:
        refuse("Policy", nights_in_order(self.nights_min, self.nights_max))
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
